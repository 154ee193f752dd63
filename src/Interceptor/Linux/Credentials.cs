using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>getuid(2), setresuid(2), setresgid(2), setgroups(2), capabilities(7): who the process is, and what it may do.</summary>
internal static unsafe partial class Credentials
{
    /// <summary>CAP_NET_ADMIN.</summary>
    public const int NetAdmin = 12;

    /// <summary>CAP_NET_RAW.</summary>
    public const int NetRaw = 13;

    /// <summary>The effective user id.</summary>
    public static uint Uid => GetEffectiveUid();

    /// <summary>The effective group id.</summary>
    public static uint Gid => GetEffectiveGid();

    /// <summary>Is <paramref name="capability"/> in force for the calling thread?</summary>
    public static bool Holds(int capability)
    {
        const string field = "CapEff:";
        string? line = File.ReadLines("/proc/thread-self/status").FirstOrDefault(l => l.StartsWith(field, StringComparison.Ordinal));
        return line is not null && (Convert.ToUInt64(line[field.Length..].Trim(), 16) >> capability & 1) != 0;
    }

    /// <summary>Makes the whole process, every thread of it, another user and group for good.</summary>
    /// <returns>Null, or what the kernel refused and why: "setresgid: Operation not permitted (errno 1); CAP_SETGID is missing".</returns>
    public static string? Become(uint uid, uint gid)
    {
        // Supplementary groups grant nothing here and rules do not look at them: a kernel that keeps them is no obstacle.
        _ = SetGroups(0, null);
        if (SetGids(gid, gid, gid) != 0)
        {
            return Refused("setresgid", "CAP_SETGID");
        }

        return SetUids(uid, uid, uid) == 0 ? null : Refused("setresuid", "CAP_SETUID");
    }

    private static string Refused(string call, string capability)
    {
        int errno = Errno.Last;
        string why = errno switch
        {
            Errno.EPERM => $"; {capability} is missing",
            Errno.EINVAL => "; this user namespace has no such id",
            _ => "",
        };
        return $"{call}: {Errno.Message(errno)}{why}";
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUid();

    [LibraryImport("libc", EntryPoint = "getegid")]
    private static partial uint GetEffectiveGid();

    [LibraryImport("libc", EntryPoint = "setresuid", SetLastError = true)]
    private static partial int SetUids(uint real, uint effective, uint saved);

    [LibraryImport("libc", EntryPoint = "setresgid", SetLastError = true)]
    private static partial int SetGids(uint real, uint effective, uint saved);

    [LibraryImport("libc", EntryPoint = "setgroups", SetLastError = true)]
    private static partial int SetGroups(nuint count, uint* groups);
}
