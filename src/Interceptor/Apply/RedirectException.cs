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

    /// <summary>A program did not end, or a lock was held too long.</summary>
    Timeout,

    /// <summary>Rules were written, and what should have followed failed: new rules are in force.</summary>
    HalfDone,
}

/// <summary>Rules could not be read or written; what was there before is there still, unless it is <see cref="RedirectFailure.HalfDone"/>.</summary>
internal sealed class RedirectException(RedirectFailure failure, string message) : Exception(message)
{
    /// <summary>The kind of failure; it decides the exit code.</summary>
    public RedirectFailure Failure => failure;

    /// <summary>The failure behind a program's error text.</summary>
    public static RedirectException From(string program, CommandResult result)
    {
        string text = result.Error.Trim() is { Length: > 0 } error ? error : $"exit code {result.ExitCode}";
        if (text.Contains("not permitted", StringComparison.OrdinalIgnoreCase) || text.Contains("must be root", StringComparison.OrdinalIgnoreCase)
            || text.Contains("Permission denied", StringComparison.OrdinalIgnoreCase))
        {
            return new(RedirectFailure.NotPermitted,
                $"{program}: {text}\nThe rules need CAP_NET_ADMIN (and CAP_NET_RAW for iptables): add both to the init container's capabilities and run it as root.");
        }

        return text.Contains("xtables lock", StringComparison.OrdinalIgnoreCase)
            ? new(RedirectFailure.Timeout, $"{program}: {text}\nAnother program holds the xtables lock; run again when it has ended.")
            : new(RedirectFailure.Refused, $"{program}: {text}");
    }
}
