using System.Net;
using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>getifaddrs(3): the addresses of the calling thread's network. The framework's own listing reads a dozen files for every
/// interface, a tenth of what a start may take.</summary>
internal static unsafe partial class InterfaceAddresses
{
    /// <summary>Every IP address of every interface.</summary>
    /// <exception cref="InvalidOperationException">The kernel refused.</exception>
    public static IReadOnlyList<IPAddress> All()
    {
        if (GetIfAddrs(out Entry* first) != 0)
        {
            throw new InvalidOperationException($"cannot list the addresses of this network: {Errno.Message(Errno.Last)}");
        }

        var addresses = new List<IPAddress>();
        for (Entry* entry = first; entry is not null; entry = entry->Next)
        {
            // An interface without an address has an entry all the same, and one for its counters.
            if (entry->Address is not null && SocketAddressBytes.ReadIp(new(entry->Address, Length(*(ushort*)entry->Address))) is IPEndPoint found)
            {
                addresses.Add(found.Address);
            }
        }

        FreeIfAddrs(first);
        return addresses;
    }

    // sockaddr_in6 or sockaddr_in; of others only the family is looked at.
    private static int Length(int family) => family == SocketCalls.FamilyInet6 ? 28 : 16;

    // struct ifaddrs, ifaddrs.h, as far as it is read.
    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        public Entry* Next;
        public byte* Name;
        public uint Flags;
        public byte* Address;
    }

    [LibraryImport("libc", EntryPoint = "getifaddrs", SetLastError = true)]
    private static partial int GetIfAddrs(out Entry* first);

    [LibraryImport("libc", EntryPoint = "freeifaddrs")]
    private static partial void FreeIfAddrs(Entry* first);
}
