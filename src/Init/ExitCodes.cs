using MeshL4.Interceptor.Apply;

namespace MeshL4.Init;

/// <summary>How meshl4-init ends; printed by --help.</summary>
internal static class ExitCodes
{
    /// <summary>Done, or nothing to do.</summary>
    public const int Done = 0;

    /// <summary>diff: the kernel's rules are not the plan's.</summary>
    public const int Different = 1;

    /// <summary>A flag or a value is wrong; nothing was applied.</summary>
    public const int Usage = 2;

    /// <summary>CAP_NET_ADMIN is missing.</summary>
    public const int NotPermitted = 3;

    /// <summary>Neither nft nor iptables is installed, or the one asked for is not.</summary>
    public const int ProgramMissing = 4;

    /// <summary>The kernel refused the rules for a reason without a code of its own, the network namespace could not be entered, or the
    /// program itself failed; the earlier rules are in force.</summary>
    public const int Refused = 5;

    /// <summary>A program did not end, a signal came, or another verification went on for too long.</summary>
    public const int Timeout = 6;

    /// <summary>New rules are in force, and not proven: left-overs could not be removed, or the earlier rules not put back; or a cleanup removed a part only.</summary>
    public const int HalfDone = 7;

    /// <summary>The kernel has no nf_tables, and no older tables took their place.</summary>
    public const int NoNfTables = 8;

    /// <summary>The kernel has no TPROXY.</summary>
    public const int NoTproxy = 9;

    /// <summary>The kernel has no xt_owner.</summary>
    public const int NoOwner = 10;

    /// <summary>IPv6 is on, and ip6tables or its tables are missing.</summary>
    public const int NoIp6tables = 11;

    /// <summary>A file that has to be written is on a read-only file system.</summary>
    public const int ReadOnly = 12;

    /// <summary>Somebody held the xtables lock for too long.</summary>
    public const int LockHeld = 13;

    /// <summary>The kernel lacks another module; the message names it.</summary>
    public const int ModuleMissing = 14;

    /// <summary>Other rules of ours are in force, and --reconcile=false keeps them.</summary>
    public const int Conflict = 15;

    /// <summary>Packets went another way than the plan says; after apply, the earlier rules are in force again. Istio's number.</summary>
    public const int NotHeld = 126;

    /// <summary>The lines of --help.</summary>
    public const string Text = """
        Exit codes:
          0  done, or nothing to do
          1  diff: the rules in the kernel are not the plan's
          2  a flag or value is wrong; every error is printed, nothing was applied
          3  CAP_NET_ADMIN is missing
          4  nft and iptables are missing, or the one asked for is
          5  the kernel refused the rules for a reason that has no code below, the network
             namespace could not be entered, or meshl4-init itself failed (the message asks
             to report that); the earlier rules are in force
          6  a program did not end, a signal came, or another verification went on too long
          7  new rules are in force that nothing proved: left-overs could not be removed, or
             the earlier rules not be put back; or cleanup removed a part only. The message
             says which
        8 to 14: the kernel said no. The message names what is missing and what to do, and the
        earlier rules are in force:
          8  nf_tables is missing, and no older tables took its place
          9  TPROXY is missing: nft_tproxy, or xt_TPROXY with iptables
         10  xt_owner is missing (iptables only)
         11  IPv6 is on, and ip6tables or its tables are missing
         12  a file that has to be written is read-only: /run/xtables.lock
         13  the xtables lock was held by somebody else for 30 seconds
         14  another module is missing
         15  not the kernel: other rules of meshl4-init are in force, and --reconcile=false
             keeps them
        126  verification: a promise is broken (or, with --verify=strict, one could not be
             shown here); the earlier rules are in force again
        """;

    /// <summary>The code for a failure.</summary>
    public static int For(RedirectFailure failure) => failure switch
    {
        RedirectFailure.NotPermitted => NotPermitted,
        RedirectFailure.ProgramMissing => ProgramMissing,
        RedirectFailure.Timeout => Timeout,
        RedirectFailure.HalfDone => HalfDone,
        RedirectFailure.NoNfTables => NoNfTables,
        RedirectFailure.NoTproxy => NoTproxy,
        RedirectFailure.NoOwner => NoOwner,
        RedirectFailure.NoIp6tables => NoIp6tables,
        RedirectFailure.ReadOnly => ReadOnly,
        RedirectFailure.LockHeld => LockHeld,
        RedirectFailure.ModuleMissing => ModuleMissing,
        RedirectFailure.Conflict => Conflict,
        _ => Refused,
    };
}
