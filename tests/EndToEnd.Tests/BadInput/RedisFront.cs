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
    {
        Port = Ports.Free();
        GoodPort = Ports.Free();
        Proxy = Sidecar.Start(new Boot()
            .Listen("tested", Port, Boot.Chain(Boot.Redis($"routes: [{string.Join(", ", prefixes.Select(static one => $"{{prefix: '{one}', cluster: tested}}"))}], catch_all_route: {{cluster: tested}}")))
            .Listen("good", GoodPort, Boot.Chain(Boot.Redis("catch_all_route: {cluster: good}")))
            .With(Boot.Cluster("tested", [upstream ?? _redis.Address]), Boot.Cluster("good", [_redis.Address])));
        _witness = Call.To(GoodPort);
        Witness();
    }

    public Sidecar Proxy { get; }

    public int Port { get; }

    public int GoodPort { get; }

    public int RedisPort => _redis.Port;

    /// <summary>A connection that was there before still works.</summary>
    public void Witness() => _witness.Ask("PING").ShouldBe("+PONG");

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
