using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>Inline commands: a line of words. Only its end and first word are found here; <see cref="RespInline"/> splits it.</content>
public partial struct RespRequestScanner
{
    private static ReadOnlySpan<byte> Spaces => " \t\n\v\f\r"u8;

    private ScanStatus TakeInline(ReadOnlySpan<byte> input, ref int at, ref RespRequestHead head, long before)
    {
        ReadOnlySpan<byte> rest = input[at..];
        int end = rest.IndexOf((byte)'\n');
        int take = end < 0 ? rest.Length : end + 1;
        if (before + at + take > _limits.MaxInlineBytes)
        {
            return Fail(RespFault.InlineTooBig, ref head);
        }

        CaptureFirstWord(rest[..take]);
        at += take;
        return end < 0 ? ScanStatus.More : EndInline(ref head);
    }

    /// <summary>The first word names the command, unless it is in quotes: then nobody but the server needs to know.</summary>
    private void CaptureFirstWord(ReadOnlySpan<byte> part)
    {
        if (_nameLength == 0)
        {
            part = part.TrimStart(Spaces);
        }

        if (!_wordEnded)
        {
            int end = part.IndexOfAny(Spaces);
            CaptureName(end < 0 ? part : part[..end]);
            _wordEnded = end >= 0;
        }
    }

    private ScanStatus EndInline(ref RespRequestHead head)
    {
        SetCommand(ref head);
        _state = State.Start;
        return ScanStatus.Done;
    }
}
