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

    /// <summary>The kernel refused the rules; the earlier ones are in force.</summary>
    public const int Refused = 5;

    /// <summary>A lock was held too long, or a program did not end.</summary>
    public const int Timeout = 6;

    /// <summary>New rules are in force, and not proven: left-overs could not be removed, or the earlier rules not put back.</summary>
    public const int HalfDone = 7;

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
          5  the kernel refused the rules; the earlier ones are in force
          6  a lock was held too long, or a program did not end
          7  new rules are in force that nothing proved: left-overs could not be removed, or
             the earlier rules not be put back; the message says which
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
        _ => Refused,
    };
}
