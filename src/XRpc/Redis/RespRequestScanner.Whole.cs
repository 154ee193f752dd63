using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MeshL4.XRpc.Redis;

/// <content>
/// The hot path: a command that lies whole in one span, with fewer than ten arguments and a name of at most nine bytes.
/// Anything else, unknown commands and bad bytes included, is left to the byte machine, which starts over from the frame's first byte.
/// </content>
public partial struct RespRequestScanner
{
    // "*?\r\n$?\r\n" as a little-endian number, the two digits blanked out.
    private const ulong OpeningMask = 0xFFFF00FFFFFF00FF;
    private const ulong Opening = 0x0A0D00240A0D002A;

    private readonly bool TryScanWhole(ReadOnlySpan<byte> input, ref RespRequestHead head, out int consumed)
    {
        consumed = 0;
        if (input.Length < 8)
        {
            return false;
        }

        ulong opening = BinaryPrimitives.ReadUInt64LittleEndian(input);
        uint count = (uint)(byte)(opening >> 8) - '0';
        uint name = (uint)(byte)(opening >> 40) - '0';
        if ((opening & OpeningMask) != Opening || count - 1 > 8 || name - 1 > 8 || count > _limits.MaxArguments
            || input.Length < 10 + (int)name || !IsLineEnd(input, 8 + (int)name))
        {
            return false;
        }

        RespRequestHead found = default;
        found.Command = RedisCommandTable.Find(input.Slice(8, (int)name));
        if (found.Command == RedisCommandId.Other)
        {
            return false;
        }

        found.HasCommand = true;
        found.NameEnd = 8 + (int)name;
        found.ArgumentCount = (int)count;
        int at = 10 + (int)name;
        int keyIndex = RedisCommandTable.FirstKey(found.Command);
        for (int i = 1; i < (int)count; i++)
        {
            int header = at;
            if (!TryTakeBulk(input, ref at, out int length))
            {
                return false;
            }

            if (i == keyIndex)
            {
                found.KeyHeaderOffset = header;
                found.KeyOffset = at - length - 2;
                found.KeyLength = length;
            }
        }

        found.Length = at;
        head = found;
        consumed = at;
        return true;
    }

    /// <summary>Steps over <c>$N\r\n...\r\n</c>; false when it is not whole, or anything about it is unusual.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool TryTakeBulk(ReadOnlySpan<byte> input, ref int at, out int length)
    {
        length = 0;
        int p = at;
        if (p + 6 > input.Length || input[p] != '$')
        {
            return false;
        }

        uint value = (uint)input[++p] - '0';
        if (value > 9)
        {
            return false;
        }

        // At most seven digits, so that nothing overflows; a leading zero is only right alone.
        int first = p;
        for (p++; p < input.Length && p - first < 7; p++)
        {
            uint digit = (uint)input[p] - '0';
            if (digit > 9)
            {
                break;
            }

            if (value == 0)
            {
                return false;
            }

            value = (value * 10) + digit;
        }

        long end = p + 2L + value;
        if (end + 2 > input.Length || value > _limits.MaxBulkBytes || !IsLineEnd(input, p) || !IsLineEnd(input, (int)end))
        {
            return false;
        }

        length = (int)value;
        at = (int)end + 2;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsLineEnd(ReadOnlySpan<byte> input, int at) =>
        BinaryPrimitives.ReadUInt16LittleEndian(input[at..]) == 0x0A0D;
}
