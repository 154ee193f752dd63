using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>How the attempt to own a table ended.</summary>
internal enum OwningOutcome
{
    /// <summary>It is ours until closed.</summary>
    Owned,

    /// <summary>Another socket owns it, or somebody made a table of the name.</summary>
    Taken,

    /// <summary>CAP_NET_ADMIN is missing in this network namespace.</summary>
    NotPermitted,

    /// <summary>The kernel has no nf_tables, or none with owners (Linux before 5.12).</summary>
    Unsupported,
}

/// <summary>An empty table of nf_tables that belongs to a netlink socket (NFT_TABLE_F_OWNER, linux/netfilter/nf_tables.h): nobody else can
/// change or remove it, and the kernel removes it the moment the socket is closed, however its process ends.</summary>
internal sealed unsafe class OwnedTable : IDisposable
{
    private const int FamilyNetlink = 16;
    private const int Raw = 3;
    private const int NetfilterProtocol = 12;

    // linux/netlink.h, linux/netfilter/nfnetlink.h.
    private const ushort Request = 1, Acknowledge = 4, Exclusive = 0x200, Create = 0x400;
    private const ushort ErrorMessage = 2, BatchBegin = 0x10, BatchEnd = 0x11, NewTable = 0xa00;
    private const byte Inet = 1;
    private const ushort TablesSubsystem = 10;
    private const ushort NameAttribute = 1, FlagsAttribute = 2;
    private const uint OwnerFlag = 2;
    private const uint TableSequence = 2;
    private const int HeaderLength = 16;

    private readonly int _fd;

    private OwnedTable(int fd) => _fd = fd;

    /// <summary>Makes the table <paramref name="name"/> of family inet in the calling thread's network namespace.</summary>
    public static OwningOutcome TryMake(string name, out OwnedTable? table)
    {
        table = null;
        int fd = SocketCalls.Socket(FamilyNetlink, Raw | SocketCalls.CloseOnExec, NetfilterProtocol);
        if (fd < 0)
        {
            return OwningOutcome.Unsupported;
        }

        OwningOutcome outcome = Ask(fd, name);
        if (outcome == OwningOutcome.Owned)
        {
            table = new OwnedTable(fd);
        }
        else
        {
            _ = Descriptors.Close(fd);
        }

        return outcome;
    }

    /// <inheritdoc/>
    public void Dispose() => _ = Descriptors.Close(_fd);

    // The kernel carries a batch out while it is sent: the answers are there when send returns.
    private static OwningOutcome Ask(int fd, string name)
    {
        byte[] batch = Batch(name);
        fixed (byte* start = batch)
        {
            if (SocketCalls.Send(fd, start, batch.Length, 0) != batch.Length)
            {
                return OwningOutcome.Unsupported;
            }
        }

        byte* buffer = stackalloc byte[4096];
        nint read = SocketCalls.Receive(fd, buffer, 4096, SocketCalls.DontWait);
        return read < 0 ? OwningOutcome.Unsupported : Answer(new ReadOnlySpan<byte>(buffer, (int)read));
    }

    // struct nlmsghdr, int error, and the header of the message that it is about.
    private static OwningOutcome Answer(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < (2 * HeaderLength) + sizeof(int) || MemoryMarshal.Read<ushort>(bytes[4..]) != ErrorMessage)
        {
            return OwningOutcome.Unsupported;
        }

        int errno = -MemoryMarshal.Read<int>(bytes[HeaderLength..]);
        bool aboutTable = MemoryMarshal.Read<uint>(bytes[(HeaderLength + sizeof(int) + 8)..]) == TableSequence;
        return (errno, aboutTable) switch
        {
            (0, true) => OwningOutcome.Owned,
            // A table that another socket owns may not even be looked up; a missing capability refuses the whole batch.
            (Errno.EPERM or Errno.EEXIST, true) => OwningOutcome.Taken,
            (Errno.EPERM, false) => OwningOutcome.NotPermitted,
            _ => OwningOutcome.Unsupported,
        };
    }

    private static byte[] Batch(string name) =>
    [
        .. Message(BatchBegin, Request, 1, 0, TablesSubsystem, []),
        .. Message(NewTable, Request | Acknowledge | Create | Exclusive, TableSequence, Inet, 0,
            [.. Attribute(NameAttribute, [.. Encoding.UTF8.GetBytes(name), 0]), .. Attribute(FlagsAttribute, BigEndian(OwnerFlag))]),
        .. Message(BatchEnd, Request, 3, 0, TablesSubsystem, []),
    ];

    // struct nlmsghdr and struct nfgenmsg.
    private static byte[] Message(ushort type, ushort flags, uint sequence, byte family, ushort resource, byte[] attributes)
    {
        byte[] bytes = new byte[HeaderLength + 4 + attributes.Length];
        MemoryMarshal.Write(bytes, bytes.Length);
        MemoryMarshal.Write(bytes.AsSpan(4), type);
        MemoryMarshal.Write(bytes.AsSpan(6), flags);
        MemoryMarshal.Write(bytes.AsSpan(8), sequence);
        bytes[HeaderLength] = family;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(HeaderLength + 2), resource);
        attributes.CopyTo(bytes, HeaderLength + 4);
        return bytes;
    }

    // struct nlattr; the next one begins at a multiple of four.
    private static byte[] Attribute(ushort type, byte[] value)
    {
        byte[] bytes = new byte[(4 + value.Length + 3) & ~3];
        MemoryMarshal.Write(bytes, (ushort)(4 + value.Length));
        MemoryMarshal.Write(bytes.AsSpan(2), type);
        value.CopyTo(bytes, 4);
        return bytes;
    }

    private static byte[] BigEndian(uint value)
    {
        byte[] bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
