using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Apply;

/// <summary>Why rules could not be read or written.</summary>
internal enum RedirectFailure
{
    /// <summary>CAP_NET_ADMIN is missing.</summary>
    NotPermitted,

    /// <summary>Neither nft nor iptables is to be found.</summary>
    ProgramMissing,

    /// <summary>The kernel or the program refused the rules.</summary>
    Refused,

    /// <summary>A program did not end, a signal came, or another verification went on for too long.</summary>
    Timeout,

    /// <summary>Rules were written, and what should have followed failed: new rules are in force.</summary>
    HalfDone,

    /// <summary>The kernel has no nf_tables, and no older tables took their place.</summary>
    NoNfTables,

    /// <summary>The kernel has no TPROXY.</summary>
    NoTproxy,

    /// <summary>The kernel cannot tell iptables whose a packet is.</summary>
    NoOwner,

    /// <summary>IPv6 is to be redirected, and ip6tables or its tables are missing.</summary>
    NoIp6tables,

    /// <summary>A file that has to be written is on a read-only file system.</summary>
    ReadOnly,

    /// <summary>Somebody held the xtables lock for too long.</summary>
    LockHeld,

    /// <summary>The kernel lacks another module.</summary>
    ModuleMissing,

    /// <summary>Other rules of ours are in force, and are not to be replaced.</summary>
    Conflict,
}

/// <summary>Rules could not be read or written; what was there before is there still, unless it is <see cref="RedirectFailure.HalfDone"/>.</summary>
internal sealed class RedirectException(RedirectFailure failure, string message) : Exception(message)
{
    /// <summary>The kind of failure; it decides the exit code.</summary>
    public RedirectFailure Failure => failure;

    /// <summary>Did the kernel, rather than a lack of rights, of time or of a program, say no? A backend that answers so at the first look
    /// has no rules in it.</summary>
    public bool IsOfTheKernel => failure is RedirectFailure.Refused or RedirectFailure.NoNfTables or RedirectFailure.NoIp6tables or RedirectFailure.ModuleMissing;

    /// <summary>The failure behind a program's error text.</summary>
    public static RedirectException From(string program, CommandResult result)
    {
        string text = result.Error.Trim() is { Length: > 0 } error ? error : $"exit code {result.ExitCode}";
        string[] lacked =
        [
            .. Credentials.Holds(Credentials.NetAdmin) ? Array.Empty<string>() : ["CAP_NET_ADMIN"],
            .. Credentials.Holds(Credentials.NetRaw) ? Array.Empty<string>() : ["CAP_NET_RAW"],
        ];
        var refusal = KernelRefusal.Read(program, text, lacked);
        return new(refusal.Failure, refusal.Advice.Length == 0 ? $"{program}: {text}" : $"{program}: {text}\n{refusal.Advice}");
    }
}
