using System.CommandLine;

namespace MeshL4.L4Proxy.CommandLine;

/// <summary>
/// Flags of Envoy's command line that mean nothing here. They are taken, so that what starts an Envoy can start this proxy, and each
/// one given is warned about. Source: Envoy's "Command line options" page.
/// </summary>
internal static class EnvoyFlags
{
    private static readonly string[] Switches =
    [
        "--allow-unknown-fields", "--allow-unknown-static-fields", "--reject-unknown-dynamic-fields",
        "--ignore-unknown-dynamic-fields", "--skip-deprecated-logs", "--log-format-escaped", "--enable-fine-grain-logging",
        "--enable-core-dump", "--hot-restart-version", "--disable-hot-restart", "--enable-mutex-tracing", "--cpuset-threads",
        "--use-dynamic-base-id", "--skip-hot-restart-on-no-parent", "--skip-hot-restart-parent-stats",
    ];

    private static readonly string[] WithValue =
    [
        "--base-id", "--base-id-path", "--restart-epoch", "--admin-address-path", "--local-address-ip-version", "--log-format",
        "--log-path", "--file-flush-interval-msec", "--file-flush-min-size-kb", "--drain-strategy", "--disable-extensions",
        "--socket-path", "--socket-mode", "--stats-tag", "--bootstrap-version", "--max-stats", "--max-obj-name-len",
    ];

    /// <summary>Hidden options, one per flag: a switch takes no value, the others take exactly one each time.</summary>
    public static IReadOnlyList<Option> Create()
    {
        var options = new List<Option>(Switches.Length + WithValue.Length);
        foreach (string name in Switches)
        {
            options.Add(new Option<bool>(name) { Hidden = true, Arity = ArgumentArity.Zero });
        }

        foreach (string name in WithValue)
        {
            options.Add(new Option<string[]>(name) { Hidden = true, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false });
        }

        return options;
    }

    /// <summary>The warning for a flag that was given.</summary>
    public static string Warning(string name) => $"{name} is accepted and has no effect in this proxy";
}
