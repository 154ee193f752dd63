namespace MeshL4.Load.Cases;

/// <summary>The cases in the order they run.</summary>
internal static class AllCases
{
    /// <summary>Fresh cases; a case keeps state of its run.</summary>
    public static IReadOnlyList<BenchCase> Create() => [
        new RedisRelayCase(1), new RedisRelayCase(16), new RedisCodecCase(1), new RedisCodecCase(16), new BulkCase(),
        new ChurnCase(), new IdleConnectionsCase(), new IdleCase(), new StartCase(), new InterceptCase(), new XdsCase()];

    /// <summary>The names <c>--case</c> takes.</summary>
    public static IReadOnlyList<string> Names { get; } = Create().Select(c => c.Name).ToArray();
}
