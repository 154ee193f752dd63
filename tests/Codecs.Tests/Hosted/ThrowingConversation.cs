using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>Forwards as most protocols do; looks at the answer to a request with <c>!observe</c> in it, and throws.</summary>
internal sealed class ThrowingConversation : Conversation<ThrowingCodec>
{
    private readonly ForwardingConversation<ThrowingCodec> _forwarding = new();

    public override Decision OnRequest(ref ThrowingCodec codec, in FrameView frame, IExchange exchange)
    {
        Decision decision = _forwarding.OnRequest(ref codec, frame, exchange);
        return frame.Bytes.IndexOf("!observe"u8) < 0 ? decision : decision with { Flags = decision.Flags | ForwardFlags.Observe };
    }

    public override ReplyAct OnReply(int tag, in FrameView reply, IExchange exchange) => throw new NotSupportedException("a defect of the conversation");
}
