using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Upstream;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>The protocols of this build, by the name that configuration gives. A new codec of the build is one line here, and one in KnownCodecs.</summary>
internal sealed class XRpcTerminal
{
    private readonly Dictionary<string, IXRpcProtocol> _protocols = new(StringComparer.Ordinal);

    private readonly UnknownBytes _unknown;

    public XRpcTerminal(XRpcServices services, UpstreamConnector connector)
    {
        _unknown = new UnknownBytes(connector, services.Snapshots);
        Add(new XRpcProtocol<RespCodec>(services, RedisConversations.Create));
        foreach (IXRpcProtocol protocol in services.Codecs.Create(services))
        {
            Add(protocol);
        }
    }

    public ValueTask RunAsync(Downstream downstream, XRpcProxySnapshot proxy)
    {
        if (!_protocols.TryGetValue(proxy.Codec, out IXRpcProtocol? protocol))
        {
            downstream.Record.Fail(ResponseFlags.LR, EndedBy.Proxy, "codec_not_found");
            return ValueTask.CompletedTask;
        }

        return Lazy(downstream, proxy).Any() ? HoldAsync(downstream, proxy, protocol) : ServeAsync(downstream, proxy, protocol);
    }

    /// <summary>The clusters of the routes whose endpoints are subscribed to by their first connection.</summary>
    private static IEnumerable<ClusterSnapshot> Lazy(Downstream downstream, XRpcProxySnapshot proxy) => proxy.Routes.Current.Routes
        .SelectMany(static route => route.Clusters.Select(static choice => choice.Cluster).Append(route.ReadCluster ?? ""))
        .Select(name => downstream.Snapshot.Clusters.GetValueOrDefault(name))
        .OfType<ClusterSnapshot>()
        .Where(static cluster => cluster.OnDemand is not null);

    private async ValueTask HoldAsync(Downstream downstream, XRpcProxySnapshot proxy, IXRpcProtocol protocol)
    {
        foreach (ClusterSnapshot cluster in Lazy(downstream, proxy).ToArray())
        {
            await EndpointsWait.ForAsync(downstream, cluster);
        }

        if (!downstream.IsCanceled)
        {
            await ServeAsync(downstream, proxy, protocol);
        }
    }

    private ValueTask ServeAsync(Downstream downstream, XRpcProxySnapshot proxy, IXRpcProtocol protocol)
    {
        return proxy.Routes.Current.UnknownAsTcp && protocol.Traits.FirstSpeaker == Side.Downstream
            ? RunIfKnownAsync(downstream, proxy, protocol)
            : protocol.RunAsync(downstream, proxy);
    }

    private async ValueTask RunIfKnownAsync(Downstream downstream, XRpcProxySnapshot proxy, IXRpcProtocol protocol)
    {
        downstream.ForgetSnapshot();
        bool isKnown = await UnknownBytes.IsKnownAsync(downstream, proxy, protocol);
        if (downstream.Record.Flags != ResponseFlags.None)
        {
            return;
        }

        // Asked again: a policy may have come while the client was silent. The codec then says what is wrong with its bytes.
        if (isKnown || !proxy.Routes.Current.UnknownAsTcp)
        {
            await protocol.RunAsync(downstream, proxy);
        }
        else
        {
            await _unknown.RelayAsync(downstream, proxy);
        }
    }

    private void Add(IXRpcProtocol protocol) => _protocols.Add(protocol.Traits.Name, protocol);
}
