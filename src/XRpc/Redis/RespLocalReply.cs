using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>The proxy's own answers as Redis errors.</summary>
internal static class RespLocalReply
{
    /// <summary>Writes one error line.</summary>
    /// <param name="request">The request, for its command's name.</param>
    /// <param name="reply">Why.</param>
    /// <param name="output">Where to.</param>
    public static void Write(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        string words = reply.Reason switch
        {
            LocalReplyReason.Configured => reply.Message ?? "ERR MeshL4: refused",
            LocalReplyReason.BadFrame => "ERR Protocol error: " + reply.Message,
            LocalReplyReason.Denied => "NOPERM MeshL4: " + (reply.Message ?? "this command is not allowed"),
            LocalReplyReason.NoRoute => "ERR MeshL4: no route for " + RedisCommandTable.Get((RedisCommandId)request.Method).Name,
            _ => "ERR MeshL4: " + (reply.Message ?? Words(reply.Reason)),
        };
        output.Write("-"u8);
        output.Write(Encoding.UTF8.GetBytes(words.ReplaceLineEndings(" ")));
        output.Write("\r\n"u8);
    }

    /// <summary>Whether an answer is the proxy's error to a command that was sent: what became of that is not known. A server's error says that nothing did.</summary>
    /// <param name="reply">The answer.</param>
    public static bool IsOwn(ReadOnlySpan<byte> reply) => reply.StartsWith("-ERR MeshL4: "u8);

    private static string Words(LocalReplyReason reason) => reason switch
    {
        LocalReplyReason.NoHealthyUpstream => "no healthy upstream",
        LocalReplyReason.ConnectFailed => "no connection to the upstream",
        LocalReplyReason.UpstreamClosed => "the upstream closed the connection before its answer",
        LocalReplyReason.UpstreamBroken => "the upstream's answer is malformed",
        LocalReplyReason.Timeout => "no answer from the upstream in time",
        LocalReplyReason.Overflow => "too many requests in flight",
        LocalReplyReason.RateLimited => "rate limit exceeded",
        LocalReplyReason.TooLarge => "the command is too long",
        LocalReplyReason.AnswerTooLarge => "the answer is over max_buffered_bytes",
        _ => "not supported through this proxy",
    };
}
