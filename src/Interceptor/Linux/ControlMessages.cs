using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>Control messages beside a datagram: struct cmsghdr and the bytes behind it, aligned to a word (cmsg(3)).</summary>
internal static class ControlMessages
{
    /// <summary>Room for every message asked for here at once, several times over.</summary>
    public const int Capacity = 256;

    /// <summary>A word with the length, then level and type.</summary>
    private static int HeaderSize => IntPtr.Size + 8;

    /// <summary>The bytes of the first message of a level and type; false when there is none.</summary>
    public static bool TryFind(ReadOnlySpan<byte> control, int level, int type, out ReadOnlySpan<byte> data)
    {
        for (ReadOnlySpan<byte> left = control; left.Length >= HeaderSize;)
        {
            int length = (int)Math.Min(MemoryMarshal.Read<nuint>(left), (nuint)left.Length);
            if (length < HeaderSize)
            {
                break;
            }

            if (MemoryMarshal.Read<int>(left[IntPtr.Size..]) == level && MemoryMarshal.Read<int>(left[(IntPtr.Size + 4)..]) == type)
            {
                data = left[HeaderSize..length];
                return true;
            }

            left = left[Math.Min(Align(length), left.Length)..];
        }

        data = default;
        return false;
    }

    /// <summary>Writes one message; the length to give to sendmsg(2).</summary>
    public static int Write(Span<byte> control, int level, int type, ReadOnlySpan<byte> data)
    {
        int space = Align(HeaderSize + data.Length);
        control[..space].Clear();
        MemoryMarshal.Write(control, (nuint)(HeaderSize + data.Length));
        MemoryMarshal.Write(control[IntPtr.Size..], level);
        MemoryMarshal.Write(control[(IntPtr.Size + 4)..], type);
        data.CopyTo(control[HeaderSize..]);
        return space;
    }

    private static int Align(int length) => (length + IntPtr.Size - 1) & -IntPtr.Size;
}
