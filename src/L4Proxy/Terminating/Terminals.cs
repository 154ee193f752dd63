using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>How a chain ends, by the kind of its terminal filter.</summary>
internal sealed class Terminals(UpstreamConnector connector, XRpcServices xrpc)
{
    private readonly TcpForward _tcp = new(connector);
    private readonly HttpHandoff _http = new(connector);
    private readonly XRpcTerminal _xrpc = new(xrpc, connector);

    public ValueTask RunAsync(Downstream downstream) => downstream.Record.Chain!.Terminal switch
    {
        TcpProxySnapshot tcp => _tcp.RunAsync(downstream, tcp),
        XRpcProxySnapshot proxy => _xrpc.RunAsync(downstream, proxy),
        HttpHandoffTerminalSnapshot http => _http.RunAsync(downstream, http),
        RejectTerminalSnapshot reject => Reject.RunAsync(downstream, reject),
        TerminalSnapshot other => throw new NotSupportedException(other.GetType().Name),
    };
}
