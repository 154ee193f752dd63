using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>
/// Inline commands: a line of words. Only its end and first word are found here; <see cref="RespInline"/> splits it. Both read quotes alike:
/// routes and policies go by the command that is carried out, however the client spells it.
/// </content>
public partial struct RespRequestScanner
{
    /// <summary>Where in the first word the scanner is.</summary>
    private enum Word : byte { Before, Plain, Double, DoubleEscape, Hex, HexSecond, Single, SingleEscape, Ended }

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

    private void CaptureFirstWord(ReadOnlySpan<byte> part)
    {
        for (int i = 0; i < part.Length && _word != Word.Ended; i++)
        {
            TakeWordByte(part[i]);
        }
    }

    /// <summary>As <see cref="RespInline"/>: the line ends at a NUL, and the word behind its closing quote.</summary>
    private void TakeWordByte(byte value)
    {
        switch (_word)
        {
            case Word.Before or Word.Plain:
                TakeUnquoted(value);
                break;
            case var _ when value == 0:
                _word = Word.Ended;
                break;
            case Word.Single when value == '\'':
            case Word.Double when value == '"':
                _word = Word.Ended;
                break;
            case Word.Single or Word.Double when value == '\\':
                _word = _word == Word.Single ? Word.SingleEscape : Word.DoubleEscape;
                break;
            case Word.Single or Word.Double:
                AppendName(value);
                break;
            default:
                TakeEscaped(value);
                break;
        }
    }

    private void TakeUnquoted(byte value)
    {
        if (value == 0 || (_word == Word.Plain && RespInline.EndsWord(value)))
        {
            _word = Word.Ended;
        }
        else if (_word == Word.Plain || !RespInline.IsSpace(value))
        {
            _word = value == '"' ? Word.Double : value == '\'' ? Word.Single : Word.Plain;
            if (_word == Word.Plain)
            {
                AppendName(value);
            }
        }
    }

    /// <summary>What follows a backslash; digits that are none count as they stand.</summary>
    private void TakeEscaped(byte value)
    {
        Word word = _word;
        _word = word == Word.SingleEscape ? Word.Single : Word.Double;
        switch (word)
        {
            case Word.SingleEscape when value != '\'':
                AppendName((byte)'\\');
                TakeWordByte(value);
                break;
            case Word.DoubleEscape when value == 'x':
                _word = Word.Hex;
                break;
            case Word.Hex when char.IsAsciiHexDigit((char)value):
                (_word, _hex) = (Word.HexSecond, value);
                break;
            case Word.HexSecond when char.IsAsciiHexDigit((char)value):
                AppendName(RespInline.FromHex(_hex, value));
                break;
            case Word.Hex or Word.HexSecond:
                AppendName((byte)'x');
                if (word == Word.HexSecond)
                {
                    AppendName(_hex);
                }

                TakeWordByte(value);
                break;
            default:
                AppendName(word == Word.DoubleEscape ? RespInline.Escaped(value) : value);
                break;
        }
    }

    private void AppendName(byte value) => CaptureName(new ReadOnlySpan<byte>(in value));

    private ScanStatus EndInline(ref RespRequestHead head)
    {
        SetCommand(ref head);
        if (IsHttp(head.Command))
        {
            return Fail(RespFault.Http, ref head);
        }

        _state = State.Start;
        return ScanStatus.Done;
    }
}
