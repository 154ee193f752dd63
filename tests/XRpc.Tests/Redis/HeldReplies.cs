using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>Answers to the parts of a request, all there.</summary>
internal sealed class HeldReplies(byte[] notes, List<byte[]> replies) : MergeReplies
{
    public override int Count => replies.Count;

    public override ReadOnlySpan<byte> Notes => notes;

    public override ReadOnlySpan<byte> this[int fragment] => replies[fragment];

    public override FrameKind KindOf(int fragment) => replies[fragment][0] == '-' ? FrameKind.ErrorResponse : FrameKind.Response;
}
