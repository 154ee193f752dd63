using MeshL4.XRpc.Contracts;

namespace MeshL4.Samples.PingPong.Tests;

/// <summary>A conversation as an author writes one: each client has three calls, what comes behind them is refused, and nothing else is changed.</summary>
internal sealed class CountingConversation : Conversation<PingPongCodec>
{
    /// <summary>Calls that one client has.</summary>
    public const int Most = 3;

    private readonly ForwardingConversation<PingPongCodec> _forwarding = new();
    private int _sent;

    /// <inheritdoc/>
    public override Decision OnRequest(ref PingPongCodec codec, in FrameView frame, IExchange exchange) =>
        _sent < Most ? _forwarding.OnRequest(ref codec, frame, exchange) : Decision.Refuse(LocalReplyReason.Denied);

    /// <inheritdoc/>
    public override void OnSent(in Decision decision, IExchange exchange) => _sent++;
}
