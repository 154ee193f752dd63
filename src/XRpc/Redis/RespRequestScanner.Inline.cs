using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>Inline commands: a line of words. Only its end and first word are found here; <see cref="RespInline"/> splits it.</content>
public partial struct RespRequestScanner
{
    private ScanStatus TakeInline(ReadOnlySpan<byte> input, ref int at, ref RespRequestHead head, long before)
    {
        ReadOnlySpan<byte> rest = input[at..];
        int end = rest.IndexOf((byte)'\n');
        int take = end < 0 ? rest.Length : end + 1;
        if (before + at + take > _limits.MaxInlineBytes)
        {
            return Fail(RespFault.InlineTooBig, ref head);
        }

        at += take;
        return end < 0 ? ScanStatus.More : EndInline();
    }

    private ScanStatus EndInline()
    {
        _state = State.Start;
        return ScanStatus.Done;
    }
}
