using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>
/// The hot path: a line or a bulk string that lies whole in one span. Anything else, bad bytes included, is left to the byte
/// machine, which starts over from the reply's first byte.
/// </content>
public partial struct RespReplyScanner
{
    // A longer line is no usual reply, and searching it again byte by byte should stay cheap.
    private const int MaxWholeLine = 128;

    private readonly bool TryScanWhole(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        if (input.Length < 4)
        {
            return false;
        }

        byte type = input[0];
        int end = type == '$' ? EndOfBulk(input) : type is (byte)'+' or (byte)':' or (byte)'-' ? EndOfLine(input) : 0;
        if (end == 0)
        {
            return false;
        }

        head = default;
        head.Kind = type == '-' ? FrameKind.ErrorResponse : FrameKind.Response;
        head.Length = end;
        consumed = end;
        return true;
    }

    private static int EndOfLine(ReadOnlySpan<byte> input)
    {
        int cr = input[..Math.Min(input.Length, MaxWholeLine)].IndexOf((byte)'\r');
        return cr > 0 && cr + 1 < input.Length && input[cr + 1] == '\n' ? cr + 2 : 0;
    }

    private readonly int EndOfBulk(ReadOnlySpan<byte> input)
    {
        uint value = (uint)input[1] - '0';
        if (value > 9)
        {
            return 0;
        }

        // At most seven digits, so that nothing overflows; a leading zero is only right alone.
        int at = 2;
        for (; at < input.Length && at < 8; at++)
        {
            uint digit = (uint)input[at] - '0';
            if (digit > 9)
            {
                break;
            }

            if (value == 0)
            {
                return 0;
            }

            value = (value * 10) + digit;
        }

        int end = at + 2 + (int)value;
        bool whole = end + 2 <= input.Length && value <= _limits.MaxBulkBytes
            && input[at] == '\r' && input[at + 1] == '\n' && input[end] == '\r' && input[end + 1] == '\n';
        return whole ? end + 2 : 0;
    }
}
