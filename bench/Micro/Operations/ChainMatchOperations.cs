using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.Micro.Operations;

/// <summary>Choosing a chain among 500: by port and protocol as in virtualInbound, and by server name.</summary>
internal sealed class ChainMatchOperations
{
    private readonly FilterChainTable _table = FilterChainTable.Compile(
    [
        .. Enumerable.Range(0, 250).Select(i => new FilterChainMatchSnapshot
        {
            DestinationPort = 8000 + i,
            TransportProtocol = "tls",
            ApplicationProtocols = ["istio", "istio-peer-exchange"],
        }),
        .. Enumerable.Range(0, 249).Select(i => new FilterChainMatchSnapshot { ServerNames = [$"*.s{i}.example.com"] }),
        FilterChainMatchSnapshot.Any,
    ]);

    private readonly MatchInput _inbound = Input(8100, null, "istio");
    private readonly MatchInput _named = Input(443, "a.b.s100.example.com", "h2");

    /// <summary>Port, transport protocol, ALPN.</summary>
    public int ByPortAndProtocol() => _table.Find(_inbound);

    /// <summary>A wildcard server name two labels down.</summary>
    public int ByServerName() => _table.Find(_named);

    private static MatchInput Input(int port, string? name, string protocol) => new()
    {
        Destination = new IPEndPoint(IPAddress.Parse("10.0.0.1"), port),
        ServerName = name,
        TransportProtocol = "tls",
        ApplicationProtocols = [protocol],
        DirectSource = IPEndPoint.Parse("10.0.0.2:40000"),
        Source = IPEndPoint.Parse("10.0.0.2:40000"),
    };
}
