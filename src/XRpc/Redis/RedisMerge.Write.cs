using System.Buffers;

namespace MeshL4.XRpc.Redis;

/// <content>How the one answer is made of many.</content>
internal readonly ref partial struct RedisMerge
{
    private void Write(IBufferWriter<byte> output)
    {
        switch (_command.Merge)
        {
            case RedisMergeKind.Interleave:
                WriteInterleaved(output);
                return;
            case RedisMergeKind.OneOk:
                output.Write(Reply(Math.Max(FirstWhere(static reply => !IsError(reply)), 0)));
                return;
            case RedisMergeKind.First:
                WriteFirst(output);
                return;
        }

        int failed = FirstWhere(IsError);
        if (failed >= 0)
        {
            WriteFailure(output, Reply(failed));
            return;
        }

        switch (_command.Merge)
        {
            case RedisMergeKind.Sum:
                WriteSum(output);
                return;
            case RedisMergeKind.And:
                WriteAnd(output);
                return;
            case RedisMergeKind.Concat:
                WriteConcatenated(output);
                return;
            case RedisMergeKind.Cursor:
                WriteCursor(output);
                return;
            default:
                output.Write(Reply(0));
                return;
        }
    }

    /// <summary>The first error. The code it begins with stays in front: clients act on it.</summary>
    private void WriteFailure(IBufferWriter<byte> output, ReadOnlySpan<byte> error)
    {
        int failed = 0;
        for (int i = 0; i < _replies.Count; i++)
        {
            failed += IsError(Reply(i)) ? 1 : 0;
        }

        if (failed == _replies.Count || error[0] != '-')
        {
            output.Write(error);
            return;
        }

        output.Write(error[..^2]);
        RespWriter.WriteText(output, $" ({failed} of {_replies.Count} parts of {Name} failed)\r\n");
    }

    private void WriteFirst(IBufferWriter<byte> output)
    {
        int found = FirstWhere(static reply => !IsError(reply) && !IsNull(reply));
        int failed = FirstWhere(IsError);
        if (found < 0 && failed >= 0)
        {
            // Nobody knows whether there is nothing.
            WriteFailure(output, Reply(failed));
            return;
        }

        output.Write(Reply(Math.Max(found, 0)));
    }

    private void WriteSum(IBufferWriter<byte> output)
    {
        long sum = 0;
        for (int i = 0; i < _replies.Count; i++)
        {
            if (!RespReader.TryInteger(Reply(i), out long value))
            {
                WriteUnexpected(output);
                return;
            }

            sum = unchecked(sum + value);
        }

        RespWriter.WriteHeader(output, (byte)':', sum);
    }

    private void WriteAnd(IBufferWriter<byte> output)
    {
        if (!TryOpenArrays(out long elements) || !HaveAll(elements))
        {
            WriteUnexpected(output);
            return;
        }

        RespWriter.WriteHeader(output, (byte)'*', elements);
        for (long element = 0; element < elements; element++)
        {
            bool all = true;
            for (int i = 0; i < _replies.Count; i++)
            {
                all &= TryTakeElement(i, out ReadOnlySpan<byte> bytes) && RespReader.TryInteger(bytes, out long value) && value != 0;
            }

            RespWriter.WriteHeader(output, (byte)':', all ? 1 : 0);
        }
    }

    private void WriteConcatenated(IBufferWriter<byte> output)
    {
        if (!TryOpenArrays(out _))
        {
            WriteUnexpected(output);
            return;
        }

        long elements = 0;
        for (int i = 0; i < _replies.Count; i++)
        {
            elements += ElementsOf(i);
        }

        RespWriter.WriteHeader(output, Reply(0)[0], elements);
        for (int i = 0; i < _replies.Count; i++)
        {
            output.Write(Reply(i)[_at[i]..]);
        }
    }

    private void WriteInterleaved(IBufferWriter<byte> output)
    {
        if (FirstWhere(static reply => !IsError(reply)) < 0)
        {
            output.Write(Reply(0));
            return;
        }

        if (!TryOpenArrays(out _))
        {
            WriteUnexpected(output);
            return;
        }

        RespWriter.WriteHeader(output, (byte)'*', _owners.Length);
        for (int key = 0; key < _owners.Length; key++)
        {
            int part = _owners[key];
            if (IsError(Reply(part)))
            {
                output.Write(Reply(part));
            }
            else if (TryTakeElement(part, out ReadOnlySpan<byte> element))
            {
                output.Write(element);
            }
            else
            {
                RespWriter.WriteError(output, $"ERR MeshL4: a node answered {Name} with too few elements");
            }
        }
    }

    private void WriteCursor(IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> reply = Reply(0);
        int at = 0;
        if (!RespReader.TryHeader(reply, ref at, out byte type, out long elements) || type != '*' || elements != 2
            || !RespReader.TryBulk(reply, ref at, out ReadOnlySpan<byte> cursor)
            || !RedisCursor.TryParse(cursor, out ulong place) || !_cursor.TryEncode(place, out ulong encoded))
        {
            WriteUnexpected(output);
            return;
        }

        RespWriter.WriteHeader(output, (byte)'*', 2);
        RespWriter.WriteBulk(output, encoded);
        output.Write(reply[at..]);
    }

    private void WriteUnexpected(IBufferWriter<byte> output) =>
        RespWriter.WriteError(output, $"ERR MeshL4: the answers to {Name} cannot be made one");
}
