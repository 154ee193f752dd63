using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;
using Executables = MeshL4.TestKit.Executables;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Redis' own benchmark and command line, and two clients from npm, through one proxy to one server, to three that share the keys, and by prefix.</summary>
public sealed class RedisClientTests : IClassFixture<RedisClientTests.World>
{
    private static readonly string[] Checks =
        ["pipeline", "concurrent", "binary", "errors", "transaction", "watch", "subscribe", "blocking", "scripts", "streams", "databases", "scanning"];

    private readonly World _world;

    public RedisClientTests(World world) => _world = world;

    [Theory]
    [InlineData("ioredis", "2")]
    [InlineData("ioredis", "3")]
    [InlineData("redis", "2")]
    [InlineData("redis", "3")]
    public void Client_ToOneServer_FindsNothingAmiss(string library, string version) =>
        Ask(library, _world.One, version).ShouldBe(version == "3" ? [.. Checks, "push", "tracking", "types"] : Checks);

    /// <summary>What holds a client to one of the servers, docs/redis-commands.md, is left out.</summary>
    [Theory]
    [InlineData("ioredis", "2")]
    [InlineData("ioredis", "3")]
    [InlineData("redis", "2")]
    [InlineData("redis", "3")]
    public void Client_ToThreeServersThatShareTheKeys_FindsNothingAmiss(string library, string version) =>
        Ask(library, _world.Ring, version, "push", "tracking").ShouldBe(version == "3" ? [.. Checks, "types"] : Checks);

    [Theory]
    [InlineData("ioredis", "2")]
    [InlineData("ioredis", "3")]
    [InlineData("redis", "2")]
    [InlineData("redis", "3")]
    public void Client_OnPrefixRoutes_FindsNothingAmiss(string library, string version) =>
        Ask(library, _world.Prefixes, version).ShouldBe(version == "3" ? [.. Checks, "push", "tracking", "types"] : Checks);

    [Theory]
    [InlineData("-P", "1")]
    [InlineData("-P", "16")]
    [InlineData("-3", "-d", "500")]
    public void Benchmark_WithAllItsTests_RunsToOneServerAndToThree(params string[] options)
    {
        foreach (int port in (int[])[_world.One, _world.Ring])
        {
            string[] lines = Run.Must("redis-benchmark", ["-p", $"{port}", "-n", "1000", "-c", "20", "--csv", .. options]).Trim().Split('\n');
            lines.Length.ShouldBe(21);
            lines.Skip(1).ShouldAllBe(static line => line.StartsWith('"') && !line.Contains("Error", StringComparison.OrdinalIgnoreCase));
        }
    }

    /// <summary>What its special modes do: a mass insertion, an iteration over all keys, a report over them, version 3.</summary>
    [Fact]
    public void Cli_InItsModes_WorksToOneServerAndToThree()
    {
        foreach (int port in (int[])[_world.One, _world.Ring])
        {
            string Cli(string? input, params string[] arguments) => Run.Feed("redis-cli", input, ["-p", $"{port}", .. arguments]);
            Cli(null, "FLUSHALL").Trim().ShouldBe("OK");
            Cli(string.Concat(Enumerable.Range(0, 500).Select(static i => Conversation.Frame("SET", $"cli:{i}", $"{i}"))), "--pipe").ShouldContain("errors: 0, replies: 500");
            Cli(null, "--scan", "--pattern", "cli:*").Trim().Split('\n').Distinct().Count().ShouldBe(500);
            Cli(null, "--bigkeys").ShouldContain("500 strings with 1390 bytes");
            Cli("from standard input", "-x", "SET", "cli:x").Trim().ShouldBe("OK");
            Cli(null, "-3", "--no-raw", "HSET", "cli:h", "f", "v").Trim().ShouldBe("(integer) 1");
            Cli(null, "-3", "--no-raw", "HGETALL", "cli:h").Trim().ShouldBe("1# \"f\" => \"v\"");
            Cli(null, "-2", "--no-raw", "HGETALL", "cli:h").Trim().ShouldBe("1) \"f\"\n2) \"v\"");
            Cli("SET cli:many 1\nINCR cli:many\nMULTI\nINCR cli:many\nEXEC\n").Trim().ShouldBe("OK\n2\nOK\nQUEUED\n3");
        }
    }

    [Fact]
    public void Reads_OfARouteWithAReadCluster_GoThereAndWritesDoNot()
    {
        using var primary = new Conversation(_world.Main.Port);
        using var replica = new Conversation(_world.Orders.Port);
        using var proxy = new Conversation(_world.Split);
        primary.Ask("SET", "where", "primary");
        replica.Ask("SET", "where", "replica");
        proxy.Ask("GET", "where").ShouldBe("$7\r\nreplica\r\n");
        proxy.Ask("SET", "where", "written").ShouldBe("+OK\r\n");
        primary.Ask("GET", "where").ShouldBe("$7\r\nwritten\r\n");
        proxy.Ask("GET", "where").ShouldBe("$7\r\nreplica\r\n");
        proxy.Exchange([Conversation.Frame("MULTI"), Conversation.Frame("GET", "where"), Conversation.Frame("EXEC")])
            .ShouldBe("+OK\r\n+QUEUED\r\n*1\r\n$7\r\nwritten\r\n");

        // Whether these read is told by their subcommands alone.
        replica.Ask("SET", "read:number", "1");
        replica.Ask("XADD", "read:stream", "1-1", "field", "value");
        proxy.Ask("OBJECT", "ENCODING", "read:number").ShouldBe("$3\r\nint\r\n");
        proxy.Ask("XINFO", "GROUPS", "read:stream").ShouldBe("*0\r\n");
        proxy.Ask("XGROUP", "CREATE", "read:stream", "g", "$", "MKSTREAM").ShouldBe("+OK\r\n");
        proxy.Ask("XINFO", "GROUPS", "read:stream").ShouldBe("*0\r\n");
        primary.Ask("XINFO", "GROUPS", "read:stream").ShouldStartWith("*1\r\n");
    }

    [Fact]
    public void Writes_OfARouteWithAMirror_ArriveTwiceAndAreAnsweredOnce()
    {
        using var primary = new Conversation(_world.Main.Port);
        using var mirror = new Conversation(_world.Orders.Port);
        using var proxy = new Conversation(_world.Mirrored);
        proxy.Ask("SET", "both", "1").ShouldBe("+OK\r\n");
        proxy.Ask("INCR", "both").ShouldBe(":2\r\n");
        primary.Ask("GET", "both").ShouldBe("$1\r\n2\r\n");
        Wait.Until(() => mirror.Ask("GET", "both") == "$1\r\n2\r\n", "the mirror did not get both commands");
    }

    private static string[] Ask(string library, int port, string version, params string[] without)
    {
        string output = Run.Must("node", [Executables.Script("tests/npm/redis-checks.js"), library, $"{port}", version, .. without]);
        return [.. output.Trim().Split('\n').Select(static line => line["ok ".Length..])];
    }

    /// <summary>Servers and a proxy in front of them, for all tests of the class.</summary>
    public sealed class World : IDisposable
    {
        private readonly Peer[] _peers = [Peer.Redis(), Peer.Redis(), Peer.Redis()];
        private readonly Sidecar _proxy;

        public World()
        {
            (One, Ring, Prefixes, Split, Mirrored) = (Ports.Free(), Ports.Free(), Ports.Free(), Ports.Free(), Ports.Free());
            _proxy = Sidecar.Start(new Boot()
                .Listen("one", One, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main}")))
                .Listen("ring", Ring, Boot.Chain(Boot.Redis("catch_all_route: {cluster: ring}")))
                .Listen("prefixes", Prefixes, Boot.Chain(Boot.Redis(
                    "routes: [{prefix: 'o:', cluster: orders, remove_prefix: true}], catch_all_route: {cluster: main}")))
                .Listen("split", Split, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main, read_command_policy: {cluster: orders}}")))
                .Listen("mirrored", Mirrored, Boot.Chain(Boot.Redis(
                    "catch_all_route: {cluster: main, request_mirror_policy: [{cluster: orders, exclude_read_commands: true}]}")))
                .With(
                    Boot.Cluster("main", [_peers[0].Address]),
                    Boot.Cluster("orders", [_peers[1].Address]),
                    Boot.Cluster("ring", [.. _peers.Select(static peer => peer.Address)], ", lb_policy: RING_HASH")));
        }

        internal Peer Main => _peers[0];

        internal Peer Orders => _peers[1];

        internal IReadOnlyList<Peer> Servers => _peers;

        internal int One { get; }

        internal int Ring { get; }

        internal int Prefixes { get; }

        internal int Split { get; }

        internal int Mirrored { get; }

        public void Dispose()
        {
            _proxy.Dispose();
            Array.ForEach(_peers, static peer => peer.Dispose());
        }
    }
}
