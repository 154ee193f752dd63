namespace MeshL4.XRpc.Redis;

/// <summary>Errors the proxy answers with. Where redis-server has one for the same case, it is in the server's words: clients look for them.</summary>
internal static class RedisErrors
{
    public const string NoAuthentication = "NOAUTH Authentication required.";
    public const string HelloNeedsAuthentication =
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be "
        + "used to authenticate the client and select the RESP protocol version at the same time";
    public const string WrongPassword = "WRONGPASS invalid username-password pair or user is disabled.";
    public const string VersionNoInteger = "ERR Protocol version is not an integer or out of range";
    public const string VersionUnsupported = "NOPROTO unsupported protocol version";
    public const string Syntax = "ERR syntax error";
    public const string NestedMulti = "ERR MULTI calls can not be nested";
    public const string WatchInMulti = "ERR WATCH inside MULTI is not allowed";
    public const string ExecWithoutMulti = "ERR EXEC without MULTI";
    public const string DiscardWithoutMulti = "ERR DISCARD without MULTI";
    public const string TransactionAborted = "EXECABORT Transaction discarded because of previous errors.";
    public const string ExecArity = "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command";
    public const string ClientName = "ERR Client names cannot contain spaces, newlines or special characters.";
    public const string UnbalancedQuotes = "ERR Protocol error: unbalanced quotes in request";

    /// <summary>Too many or too few arguments.</summary>
    public static string Arity(RedisCommand command) => $"ERR wrong number of arguments for '{command.Name.ToLowerInvariant()}' command";

    /// <summary>A command that makes no sense through a proxy.</summary>
    public static string Refused(RedisCommand command) => $"ERR MeshL4: {Name(command)} is not supported through this proxy";

    /// <summary>A command that makes no sense there inside a transaction.</summary>
    public static string RefusedInMulti(RedisCommand command) => $"ERR MeshL4: {Name(command)} is not supported inside MULTI through this proxy";

    /// <summary>A command that would change the state of a connection that relays.</summary>
    public static string RefusedWhileSubscribed(RedisCommand command) =>
        $"ERR MeshL4: {Name(command)} is not supported through this proxy while subscribed";

    /// <summary>A command for all nodes inside a transaction, which has one.</summary>
    public static string ManyNodes(RedisCommand command) => $"ERR MeshL4: {Name(command)} goes to several nodes, which a transaction or WAIT cannot";

    /// <summary>Keys that no single node has.</summary>
    public static string Crossing(RedisCommand command) => $"CROSSSLOT MeshL4: keys of {Name(command)} are on different nodes";

    /// <summary>Keys that are not on the node of the client's own connection.</summary>
    public static string Elsewhere(RedisCommand command) =>
        $"CROSSSLOT MeshL4: keys of {Name(command)} are on another node than those of this connection's transaction, WATCH, tracking or subscription";

    /// <summary>An option HELLO does not know; the client's word, printable.</summary>
    public static string HelloOption(ReadOnlySpan<byte> option) => $"ERR Syntax error in HELLO option '{RespWriter.Printable(option)}'";

    private static string Name(RedisCommand command) => command.Name.Replace('|', ' ');
}
