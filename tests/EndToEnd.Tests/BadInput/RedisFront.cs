using System.Globalization;
using System.Text.Json;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>A proxy that speaks Redis in front of one address, and a Redis server beside it for the witness.</summary>
internal sealed class RedisFront : IDisposable
{
    private const string Catching = "catch_all_route: {cluster: tested}";

    private readonly RedisWitness _witness;

    /// <param name="upstream">Who answers on <see cref="Port"/>; null is the real server too.</param>
    /// <param name="prefixes">Prefix routes on <see cref="Port"/> beside the one for the rest.</param>
    public RedisFront(string? upstream = null, params IEnumerable<string> prefixes)
        : this(upstream is null ? [] : [upstream], Boot.Redis(
            $"routes: [{string.Join(", ", prefixes.Select(static one => $"{{prefix: '{one}', cluster: tested}}"))}], {Catching}"))
    {
    }

    /// <param name="upstreams">Several that share the keys on <see cref="Port"/>.</param>
    public RedisFront(string[] upstreams)
        : this(upstreams, Boot.Redis(Catching))
    {
    }

    /// <summary>
    /// All clients are on one loop and share its connection to the server, with a witness that came before them: on <see cref="Port"/>,
    /// or on <see cref="GoodPort"/> where those who answer on the first are hostile themselves.
    /// </summary>
    public static RedisFront OneLoop(params string[] upstreams) => new(upstreams, Boot.Redis(Catching, upstreams is [] ? "60s" : "1s"), loops: 1);

    /// <summary>The same with a minute for an answer of the one upstream: where it is not to be the time-out that ends it.</summary>
    public static RedisFront OneLoopWithTime(string upstream) => new([upstream], Boot.Redis(Catching, "60s"), loops: 1);

    /// <summary>The common message in place of Envoy's on <see cref="Port"/>, and the real server.</summary>
    /// <param name="more">Members of it beside the one route, each behind a comma.</param>
    /// <param name="boot">With further settings of the proxy.</param>
    /// <param name="loops">With one, all clients share a connection to the server, and the witness is one of them.</param>
    /// <param name="password">What clients have to log in with, if they have to.</param>
    public static RedisFront Common(string more, Boot? boot = null, int loops = 2, string? password = null) =>
        new([], $"{{name: redis, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: r, codec: redis, route_config: {{routes: [{{name: all, forward: {{cluster: tested}}}}]}}{more}{(password is null ? "" : $", authentication: {{passwords: [{{inline_string: {password}}}]}}")}}}}}", boot, loops, password);

    private RedisFront(string[] upstreams, string filter, Boot? boot = null, int loops = 2, string? password = null)
    {
        Port = Ports.Free();
        GoodPort = Ports.Free();
        Proxy = Sidecar.Start((boot ?? new Boot())
            .Listen("tested", Port, Boot.Chain(filter))
            .Listen("good", GoodPort, Boot.Chain(Boot.Redis("catch_all_route: {cluster: good}", "60s")))
            .With(
                Boot.Cluster("tested", upstreams is [] ? [Redis.Address] : upstreams, upstreams.Length > 1 ? ", lb_policy: RING_HASH" : ""),
                Boot.Cluster("good", [Redis.Address])), concurrency: loops);
        bool shares = loops == 1 && upstreams is [];
        _witness = new RedisWitness(shares ? Port : GoodPort, RedisPort, shares ? password : null);
    }

    public Sidecar Proxy { get; }

    public int Port { get; }

    public int GoodPort { get; }

    /// <summary>The real server.</summary>
    public Behaviours.Stage.Peer Redis { get; } = Behaviours.Stage.Peer.Redis();

    public int RedisPort => Redis.Port;

    /// <summary>A connection that was there before still works: the server answers its request.</summary>
    public void Witness() => _witness.Witness();

    /// <summary>What is done to the proxy costs the witness nothing, who has a request in flight: see <see cref="RedisWitness.Beside"/>.</summary>
    public void Beside(Action harm) => _witness.Beside(harm);

    /// <summary>A connection on <see cref="Port"/> has ended, with a flag and a reason.</summary>
    public void EndedWithReason() =>
        Proxy.LoggedLines(1, "listener=tested").ShouldAllBe(static line => !line.Contains("flags=- ") && !line.Contains("details=- "));

    /// <summary>Bytes the process has allocated since its start.</summary>
    public long Allocated() => Memory("allocated_since_start");

    /// <summary>A figure of the memory page.</summary>
    public long Memory(string name) =>
        long.Parse(JsonDocument.Parse(Proxy.Get("/memory")).RootElement.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    public static string Command(params string[] words) =>
        $"*{words.Length}\r\n" + string.Concat(words.Select(static word => $"${word.Length}\r\n{word}\r\n"));

    public void Dispose()
    {
        Proxy.Stat("meshl4.loop_faults").ShouldBe(0);
        _witness.Dispose();
        Proxy.Dispose();
        Redis.Dispose();
    }
}
