namespace MeshL4.Load.Cases;

/// <summary>The cases in the order they run.</summary>
internal static class AllCases
{
    /// <summary>Fresh cases; a case keeps state of its run.</summary>
    public static IReadOnlyList<BenchCase> Create() => [
        new RedisRelayCase(1), new RedisRelayCase(16), new RedisCodecCase(1), new RedisCodecCase(16), .. XRpcCases.Create(), new BulkCase(),
        new ChurnCase(), new IdleConnectionsCase(), new IdleCase(), new StartCase(), new InterceptCase(), new XdsCase()];

    /// <summary>The names <c>--case</c> takes: those of the cases, and <c>xrpc</c> for all that begin with it.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Create().Select(c => c.Name), XRpcCases.Group];

    /// <summary>Whether a name that was asked for means a case.</summary>
    public static bool IsMeant(BenchCase one, string asked) =>
        one.Name == asked || (asked == XRpcCases.Group && one.Name.StartsWith(XRpcCases.Group + "-", StringComparison.Ordinal));
}
