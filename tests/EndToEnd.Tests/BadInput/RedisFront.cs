using System.Globalization;
using System.Text.Json;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>A proxy that speaks Redis in front of one address, and a Redis server beside it for the witness.</summary>
internal sealed class RedisFront : IDisposable
{
    private readonly Behaviours.Stage.Peer _redis = Behaviours.Stage.Peer.Redis();
    private readonly Call _witness;

    /// <param name="upstream">Who answers on <see cref="Port"/>; null is the real server too.</param>
    /// <param name="prefixes">Prefix routes on <see cref="Port"/> beside the one for the rest.</param>
    public RedisFront(string? upstream = null, params IEnumerable<string> prefixes)
        : this(upstream is null ? [] : [upstream], Boot.Redis(
            $"routes: [{string.Join(", ", prefixes.Select(static one => $"{{prefix: '{one}', cluster: tested}}"))}], catch_all_route: {{cluster: tested}}"))
    {
    }

    /// <param name="upstreams">Several that share the keys on <see cref="Port"/>.</param>
    public RedisFront(string[] upstreams)
        : this(upstreams, Boot.Redis("catch_all_route: {cluster: tested}"))
    {
    }

    /// <summary>The common message in place of Envoy's on <see cref="Port"/>, and the real server.</summary>
    /// <param name="more">Members of it beside the one route, each behind a comma.</param>
    /// <param name="boot">With further settings of the proxy.</param>
    public static RedisFront Common(string more, Boot? boot = null) =>
        new([], $"{{name: redis, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: r, codec: redis, route_config: {{routes: [{{name: all, forward: {{cluster: tested}}}}]}}{more}}}}}", boot);

    private RedisFront(string[] upstreams, string filter, Boot? boot = null)
    {
        Port = Ports.Free();
        GoodPort = Ports.Free();
        Proxy = Sidecar.Start((boot ?? new Boot())
            .Listen("tested", Port, Boot.Chain(filter))
            .Listen("good", GoodPort, Boot.Chain(Boot.Redis("catch_all_route: {cluster: good}")))
            .With(
                Boot.Cluster("tested", upstreams is [] ? [_redis.Address] : upstreams, upstreams.Length > 1 ? ", lb_policy: RING_HASH" : ""),
                Boot.Cluster("good", [_redis.Address])));
        _witness = Call.To(GoodPort);
        Witness();
    }

    public Sidecar Proxy { get; }

    public int Port { get; }

    public int GoodPort { get; }

    public int RedisPort => _redis.Port;

    /// <summary>A connection that was there before still works.</summary>
    public void Witness() => _witness.Ask("PING").ShouldBe("+PONG");

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
        _redis.Dispose();
    }
}
