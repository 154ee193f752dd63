namespace MeshL4.XRpc.Redis;

/// <summary>Properties of a command, from the server's own table.</summary>
[Flags]
public enum RedisCommandFlags
{
    /// <summary>None of the below.</summary>
    None = 0,

    /// <summary>Changes data.</summary>
    Write = 1,

    /// <summary>Reads data.</summary>
    ReadOnly = 2,

    /// <summary>May wait for data, so no time-out applies to its answer.</summary>
    Blocking = 4,

    /// <summary>Subscribes or publishes.</summary>
    PubSub = 8,

    /// <summary>Administers the server.</summary>
    Admin = 16,

    /// <summary>Keys are at places that depend on other arguments.</summary>
    MovableKeys = 32,

    /// <summary>Not allowed in scripts.</summary>
    NoScript = 64,

    /// <summary>Constant or logarithmic time.</summary>
    Fast = 128,
}

/// <summary>Where keys are among the arguments: redis 7's key specification (see the reply of COMMAND).</summary>
/// <param name="Begin">Argument index to begin at (0 is the command), or to look for <paramref name="Keyword"/> from; negative counts from the end.</param>
/// <param name="Keyword">Word behind which the keys begin; empty when <paramref name="Begin"/> says it.</param>
/// <param name="Span">Range: last key relative to the first, or from the end when negative. Key count: first key relative to the beginning.</param>
/// <param name="Step">Arguments from one key to the next.</param>
/// <param name="Limit">Range to the end: 2 means only the first half of the rest are keys, and so on; 0 and 1 mean all.</param>
/// <param name="CountIndex">Where the number of keys is, relative to the beginning; -1 for a range.</param>
public readonly record struct RedisKeySpec(int Begin, string Keyword, int Span, int Step, int Limit, int CountIndex);

/// <summary>One command of redis-server.</summary>
public sealed class RedisCommand
{
    internal RedisCommand(string name, int arity, RedisCommandFlags flags, RedisRule rule, RedisMergeKind merge, params RedisKeySpec[] keys)
    {
        Name = name;
        Arity = arity;
        Flags = flags;
        Rule = rule;
        Merge = merge;
        Keys = keys;
        IsSingleKey = keys is [{ Keyword: "", Begin: > 0, Span: 0, CountIndex: -1 }] && (flags & RedisCommandFlags.MovableKeys) == 0;
        FirstKey = keys is [{ Keyword: "", Begin: > 0, CountIndex: -1 }, ..] ? keys[0].Begin : 0;
    }

    /// <summary>Upper-case name; that of a subcommand is <c>CONTAINER|NAME</c>.</summary>
    public string Name { get; }

    /// <summary>Place in the table: <see cref="RedisCommandTable.GetRow"/> takes it. A command's is its id.</summary>
    public int Row { get; internal set; }

    /// <summary>Whether this is a subcommand.</summary>
    public bool IsSubcommand => Row >= RedisCommandTable.Count;

    /// <summary>Arguments with the command itself; negative means at least that many.</summary>
    public int Arity { get; }

    /// <summary>Properties.</summary>
    public RedisCommandFlags Flags { get; }

    /// <summary>What a proxy does with it.</summary>
    public RedisRule Rule { get; }

    /// <summary>How answers become one, where there are several.</summary>
    public RedisMergeKind Merge { get; }

    /// <summary>Key specifications; empty for commands without keys. SORT's STORE target is not among them: <see cref="RedisKeys"/> finds it.</summary>
    public IReadOnlyList<RedisKeySpec> Keys { get; }

    /// <summary>Whether exactly one key is there, at <see cref="FirstKey"/>.</summary>
    public bool IsSingleKey { get; }

    /// <summary>Argument index of the first key when that is fixed, else 0.</summary>
    public int FirstKey { get; }
}
