using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>An update changes how a cluster shares its keys out: clients that are there go by the cluster as it is now.</summary>
public sealed class RedisClusterUpdateTests : IDisposable
{
    private const int Keys = 40;

    private readonly Peer[] _servers = [Peer.Redis(), Peer.Redis()];
    private readonly TempFolder _folder = new();
    private readonly int _port = Ports.Free();
    private int _version;

    [Theory]
    [InlineData("ROUND_ROBIN", "RING_HASH")]
    [InlineData("LEAST_REQUEST", "MAGLEV")]
    public void ClientThatIsThere_GoesByTheClusterAsItIsNow(string whole, string shared)
    {
        Write(whole);
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", _port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main}"))).Files(clusters: _folder.At("cds.yaml")));
        using Call client = Call.To(_port);
        Set(client);
        Sizes().Order().ShouldBe([0, Keys]);
        for (int round = 0; round < 2; round++)
        {
            Update(proxy, shared);
            Set(client);
            Sizes().Min().ShouldBeGreaterThan(0);
            using (Call other = Call.To(_port))
            {
                client.Ask("DBSIZE").ShouldBe($":{Keys}");
                for (int i = 0; i < Keys; i++)
                {
                    other.Ask($"EXISTS k{i}").ShouldBe(":1");
                }
            }

            Update(proxy, whole);
            Set(client);
            Sizes().Order().ShouldBe([0, Keys]);
        }
    }

    public void Dispose()
    {
        Array.ForEach(_servers, static server => server.Dispose());
        _folder.Dispose();
    }

    private static void Set(Call client)
    {
        for (int i = 0; i < Keys; i++)
        {
            client.Ask($"SET k{i} v").ShouldBe("+OK");
        }
    }

    private int[] Sizes() => [.. _servers.Select(static server => int.Parse(Call.Ask(server.Port, "DBSIZE")![1..], System.Globalization.CultureInfo.InvariantCulture))];

    /// <summary>The servers are empty afterwards.</summary>
    private void Update(Sidecar proxy, string policy)
    {
        long before = proxy.Stat("config.version");
        Write(policy);

        // The dump tells what was accepted; in use it is a moment later.
        Wait.Until(() => proxy.Get("/config_dump").Contains($"\"version_info\": \"{_version}\"", StringComparison.Ordinal) && proxy.Stat("config.version") > before, () => proxy.Get("/config_dump"));
        Array.ForEach(_servers, static server => Call.Ask(server.Port, "FLUSHALL").ShouldBe("+OK"));
    }

    private void Write(string policy) => _folder.Write("cds.yaml", Boot.Resources(
        $"{++_version}", Boot.Cluster("main", [.. _servers.Select(static server => server.Address)], $", lb_policy: {policy}")));
}
