namespace MeshL4.XRpc.Redis;

/// <summary>What a proxy does with a command. docs/redis-commands.md has the rule of each.</summary>
public enum RedisRule : byte
{
    /// <summary>To a node of the default route.</summary>
    Default,

    /// <summary>To the node of its keys; all of them must be there.</summary>
    Key,

    /// <summary>In parts, one for each node that has keys of it.</summary>
    Split,

    /// <summary>To every node of every cluster that routes name.</summary>
    Fanout,

    /// <summary>To one of those nodes at a time, told by the cursor.</summary>
    Scan,

    /// <summary>To one node of the default route, the same for all clients.</summary>
    Home,

    /// <summary>Answered by the proxy.</summary>
    Local,

    /// <summary>Changes which upstream connections the client uses: database, protocol version, identity.</summary>
    Session,

    /// <summary>Belongs to a transaction, on a connection of the client's own.</summary>
    Transaction,

    /// <summary>Begins or ends a subscription, on a connection of the client's own.</summary>
    Subscribe,

    /// <summary>May wait: on a connection of the client's own until it is answered.</summary>
    Blocking,

    /// <summary>On a connection of the client's own from now on.</summary>
    Pin,

    /// <summary>Answered with an error.</summary>
    Refuse,

    /// <summary>The subcommand decides.</summary>
    Container,
}

/// <summary>How the answers of several nodes become one.</summary>
public enum RedisMergeKind : byte
{
    /// <summary>There is one answer.</summary>
    None,

    /// <summary>Numbers are added.</summary>
    Sum,

    /// <summary>The first answer when none is an error, else the first error.</summary>
    AllOk,

    /// <summary>The first answer that is no error, else the first error.</summary>
    OneOk,

    /// <summary>Arrays of 0 and 1, joined place by place.</summary>
    And,

    /// <summary>Arrays, one behind the other.</summary>
    Concat,

    /// <summary>Arrays, their elements put in the order of the keys.</summary>
    Interleave,

    /// <summary>One answer of SCAN, whose cursor takes in the node.</summary>
    Cursor,

    /// <summary>The first answer that is not null.</summary>
    First,
}
