using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>setfsuid(2) and setfsgid(2): the ids under which the calling thread, and no other, opens things. The owner matches of
/// netfilter read exactly these, as they were when the socket was made, so one process can open sockets of many owners. The real ids and
/// the network capabilities stay as they are. Needs CAP_SETUID and CAP_SETGID.</summary>
internal static partial class FileSystemIds
{
    // The calls answer with the id before, whether they worked or not; asking for an impossible id changes nothing and tells.
    private const uint Impossible = uint.MaxValue;

    /// <summary>Sets both ids of the calling thread.</summary>
    /// <exception cref="InvalidOperationException">The kernel refused: a capability is missing, or the user namespace lacks the id.</exception>
    public static void Set(uint uid, uint gid)
    {
        // The group first: an unprivileged user id takes the right to change it away only for real ids, but the order costs nothing.
        _ = SetGroup(gid);
        _ = SetUser(uid);
        if (SetUser(Impossible) != uid || SetGroup(Impossible) != gid)
        {
            throw new InvalidOperationException($"cannot open sockets as uid {uid}, gid {gid}: CAP_SETUID or CAP_SETGID is missing");
        }
    }

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial uint SetUser(uint uid);

    [LibraryImport("libc", EntryPoint = "setfsgid")]
    private static partial uint SetGroup(uint gid);
}
