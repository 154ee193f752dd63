using System.Buffers.Binary;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>Writes an id in place.</summary>
internal static class IdBytes
{
    /// <summary>Replaces the id of a frame that has it at a fixed place.</summary>
    /// <param name="frame">At least up to the id's end.</param>
    /// <param name="place">Where.</param>
    /// <param name="id">Its low bytes are written.</param>
    public static void Write(Span<byte> frame, FixedId place, ulong id)
    {
        Span<byte> bytes = stackalloc byte[8];
        if (place.BigEndian)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, id);
            bytes[(8 - place.Width)..].CopyTo(frame[place.Offset..]);
        }
        else
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, id);
            bytes[..place.Width].CopyTo(frame[place.Offset..]);
        }
    }
}
