namespace MeshL4.XRpc.Redis;

/// <content>Answers taken apart: structure only, no element is understood.</content>
internal readonly ref partial struct RedisMerge
{
    private static bool IsError(ReadOnlySpan<byte> reply) => reply[0] is (byte)'-' or (byte)'!';

    private static bool IsNull(ReadOnlySpan<byte> reply) => reply[0] == '_' || (reply[0] is (byte)'$' or (byte)'*' && reply[1] == '-');

    private static ReadOnlySpan<byte> SkipAttributes(ReadOnlySpan<byte> reply)
    {
        while (reply[0] == '|')
        {
            int at = 0;
            RespReader.TryHeader(reply, ref at, out _, out long pairs);
            reply = reply[at..];
            for (long i = pairs * 2; i > 0 && !reply.IsEmpty; i--)
            {
                reply = reply[RespReader.ElementLength(reply)..];
            }
        }

        return reply;
    }

    /// <summary>Index of the first answer for which something holds, or -1.</summary>
    private int FirstWhere(Func<ReadOnlySpan<byte>, bool> holds)
    {
        for (int i = 0; i < _replies.Count; i++)
        {
            if (holds(Reply(i)))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Steps behind the heads of all arrays; false when an answer is neither an array nor an error.</summary>
    private bool TryOpenArrays(out long elements)
    {
        elements = 0;
        for (int i = 0; i < _replies.Count; i++)
        {
            if (IsError(Reply(i)))
            {
                continue;
            }

            int at = 0;
            if (!RespReader.TryHeader(Reply(i), ref at, out byte type, out elements) || type is not ((byte)'*' or (byte)'~') || elements < 0)
            {
                return false;
            }

            _at[i] = at;
        }

        return true;
    }

    private bool HaveAll(long elements)
    {
        for (int i = 0; i < _replies.Count; i++)
        {
            if (ElementsOf(i) != elements)
            {
                return false;
            }
        }

        return true;
    }

    private long ElementsOf(int part)
    {
        int at = 0;
        return RespReader.TryHeader(Reply(part), ref at, out _, out long elements) ? elements : 0;
    }

    private bool TryTakeElement(int part, out ReadOnlySpan<byte> element)
    {
        ReadOnlySpan<byte> rest = Reply(part)[_at[part]..];
        int length = rest.IsEmpty ? 0 : RespReader.ElementLength(rest);
        _at[part] += length;
        element = rest[..length];
        return length > 0;
    }
}
