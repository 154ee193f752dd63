using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>Protocols of other assemblies, for <see cref="ProxyProgram.RunAsync"/>. Filled before the first configuration is read.</summary>
public sealed class CodecSet
{
    private readonly List<Func<XRpcServices, IXRpcProtocol>> _protocols = [];

    /// <summary>Adds a protocol under the name of its traits; requests are forwarded by their metadata.</summary>
    /// <typeparam name="TCodec">The protocol.</typeparam>
    /// <returns>This set.</returns>
    /// <exception cref="ArgumentException">Another codec has the name.</exception>
    public CodecSet Add<TCodec>()
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        KnownCodecs.Add(TCodec.Traits);

        // Without state, so all connections share one.
        var forwarding = new ForwardingConversation<TCodec>();
        _protocols.Add(services => new XRpcProtocol<TCodec>(services, _ => forwarding));
        return this;
    }

    /// <summary>The protocols, for one process.</summary>
    internal IEnumerable<IXRpcProtocol> Create(XRpcServices services) => _protocols.Select(protocol => protocol(services));
}
