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
    /// <exception cref="ArgumentException">Another codec has the name, or its traits say what this runtime does not act on.</exception>
    public CodecSet Add<TCodec>()
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        // Without state, so all connections share one.
        var forwarding = new ForwardingConversation<TCodec>();
        return Add(() => forwarding);
    }

    /// <summary>Adds a protocol whose requests mean more than that: each client connection has a conversation, which says what becomes of each of them.</summary>
    /// <typeparam name="TCodec">The protocol.</typeparam>
    /// <param name="converse">
    /// Makes the conversation of a new client connection; called from every event loop. One without state may be the same for all.
    /// </param>
    /// <returns>This set.</returns>
    /// <exception cref="ArgumentException">Another codec has the name, or its traits say what this runtime does not act on.</exception>
    public CodecSet Add<TCodec>(Func<Conversation<TCodec>> converse)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        if (Unsupported(TCodec.Traits) is { } trait)
        {
            throw new ArgumentException($"codec '{TCodec.Traits.Name}': {trait}");
        }

        KnownCodecs.Add(TCodec.Traits);
        _protocols.Add(services => new XRpcProtocol<TCodec>(services, _ => converse()));
        return this;
    }

    /// <summary>A trait that this runtime does not act on, so that the protocol would be served wrongly; null for none.</summary>
    private static string? Unsupported(CodecTraits traits) => traits switch
    {
        { Affinity: Affinity.Pinned } => "Affinity.Pinned is not supported: clients would share connections all the same",
        { FirstSpeaker: Side.Upstream } => "FirstSpeaker.Upstream is not supported: no server is connected to before its client has spoken",
        { ReplySeedBytes: < 0 or > CodecTraits.MostReplySeedBytes } => $"ReplySeedBytes is {traits.ReplySeedBytes}, and may be {CodecTraits.MostReplySeedBytes} at most",
        _ => null,
    };

    /// <summary>The protocols, for one process.</summary>
    internal IEnumerable<IXRpcProtocol> Create(XRpcServices services) => _protocols.Select(protocol => protocol(services));
}
