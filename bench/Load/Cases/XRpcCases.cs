using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>The rows about the shared upstream pool.</summary>
internal static class XRpcCases
{
    /// <summary>The name that means all of them.</summary>
    public const string Group = "xrpc";

    public static IEnumerable<BenchCase> Create() => [new TwemproxyCase(1, 1.0), new TwemproxyCase(16, 2.0), new RoutesCase(), new CrowdCase(), new OpenLoopCase(), new SilentCrowdCase()];

    /// <summary>
    /// Beside twemproxy, which multiplexes too. It has one thread, so the processor time is held against one loop of ours; two loops share
    /// the clients, and so have fewer of them in a batch.
    /// </summary>
    private sealed class TwemproxyCase(int pipeline, double atLeast)
        : RedisCase($"xrpc-p{pipeline}", $"redis GET and SET, pipeline {pipeline}, 50 clients on shared upstream connections", pipeline)
    {
        public override IReadOnlyList<string> Needs => [SubjectNames.Twemproxy, SubjectNames.MeshRedis, SubjectNames.MeshRedisOneLoop];

        public override IReadOnlyList<Bar> Bars => [
            new Bar(Rate.Metric, SubjectNames.MeshRedis, SubjectNames.Twemproxy, AtLeast: true, atLeast),
            new Bar(Rate.Metric, SubjectNames.MeshRedisOneLoop, SubjectNames.Twemproxy, AtLeast: true, atLeast),
            new Bar(SetRequests, SubjectNames.MeshRedis, SubjectNames.Twemproxy, AtLeast: true, atLeast),
            new Bar(SetRequests, SubjectNames.MeshRedisOneLoop, SubjectNames.Twemproxy, AtLeast: true, atLeast),
            new Bar(Cost.Metric, SubjectNames.MeshRedisOneLoop, SubjectNames.Twemproxy, AtLeast: false, 1.0),
            // The smallest object has 24 bytes: none for each request, with room for what clocks and timers allocate meanwhile.
            new Bar(Allocated, SubjectNames.MeshRedis, null, AtLeast: false, 2)];

        public override (string Subject, string Again)? NoisePair => (SubjectNames.Haproxy, SubjectNames.HaproxyAgain);

        protected override bool WithSet => true;

        protected override IReadOnlyList<string> Subjects => [
            SubjectNames.Direct, SubjectNames.Haproxy, SubjectNames.Twemproxy, SubjectNames.MeshRedis, SubjectNames.MeshRedisOneLoop, SubjectNames.HaproxyAgain];
    }

    /// <summary>One prefix route beside 5,000; in both the key that is asked for has one of them.</summary>
    private sealed class RoutesCase() : RedisCase("xrpc-routes", "redis GET, pipeline 16, one prefix route and 5,000", 16)
    {
        public override IReadOnlyList<string> Needs => [SubjectNames.MeshOneRoute, SubjectNames.MeshRoutes];

        public override IReadOnlyList<Bar> Bars => [
            new Bar(Rate.Metric, SubjectNames.MeshRoutes, SubjectNames.MeshOneRoute, AtLeast: true, 0.95),
            new Bar(Allocated, SubjectNames.MeshRoutes, null, AtLeast: false, 2)];

        public override (string Subject, string Again)? NoisePair => (SubjectNames.Haproxy, SubjectNames.HaproxyAgain);

        protected override IReadOnlyList<string> Subjects => [
            SubjectNames.Haproxy, SubjectNames.MeshOneRoute, SubjectNames.MeshRoutes, SubjectNames.HaproxyAgain];
    }

    /// <summary>1,000 clients on two connections a loop, beside our own relay with one for each client.</summary>
    private sealed class CrowdCase() : RedisCase("xrpc-1000", "redis GET, pipeline 1, 1,000 clients on two upstream connections a loop", 1, clients: 1000)
    {
        public override IReadOnlyList<string> Needs => [SubjectNames.Mesh, SubjectNames.MeshTwoConnections];

        public override IReadOnlyList<Bar> Bars => [
            new Bar(Rate.Metric, SubjectNames.MeshTwoConnections, SubjectNames.Mesh, AtLeast: true, 1.3),
            new Bar(Allocated, SubjectNames.MeshTwoConnections, null, AtLeast: false, 2)];

        public override (string Subject, string Again)? NoisePair => (SubjectNames.Haproxy, SubjectNames.HaproxyAgain);

        protected override IReadOnlyList<string> Subjects => [
            SubjectNames.Haproxy, SubjectNames.Mesh, SubjectNames.MeshTwoConnections, SubjectNames.HaproxyAgain];
    }
}
