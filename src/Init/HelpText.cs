using System.Text;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Init;

/// <summary>What --help prints.</summary>
internal static class HelpText
{
    private const string Head = """
        meshl4-init: redirect a pod's traffic to its sidecar proxy.

        Usage: meshl4-init [apply|plan|diff|explain|verify|cleanup] [flags]

        Commands:
          apply    Put the rules into the kernel (default). Equal rules are left untouched.
          plan     Print what apply would do. --format text (default), json, nft or iptables.
          diff     Compare the plan with the kernel, in order. --format text or json.
          explain  Say which rules a connection meets: --in or --out (default), --dst
                   ADDRESS:PORT, --proto, --src, --uid, --gid, --mark, --interface;
                   with --in and --forwarded, a packet that the pod passes on.
          verify   Send real packets and see that each goes where the plan says. Runs after
                   apply too. --format text or json. No packet leaves the pod.
          cleanup  Remove the rules, through every backend that has them.

        Each flag but --envoy-port is also read from a variable: upper case, '-' as '_'. A flag
        wins over an annotation, an annotation over a variable. Lists are separated by commas,
        may be repeated, and take @FILE for the lines of a file. Nothing is captured unless -b,
        -i, -q or --redirect-dns asks for it.

        """;

    private const string Tail = """

        Examples:
          meshl4-init -b '*' -d 15090,15021 -i '*'          capture everything but the proxy's own ports
          meshl4-init -b 8080,9000-9010 -i 10.0.0.0/8       capture some ports and destinations
          meshl4-init plan --format nft -b '*' -i '*'       see the script, touch nothing
          meshl4-init diff -b '*' -i '*' || echo drift      check in a loop
          meshl4-init explain -i '*' --dst 10.96.0.1:6379 --uid 1000
          meshl4-init -m TRANSPARENT --capture-udp 53 -b '*' -i '*'
          meshl4-init --from-annotations /etc/podinfo/annotations
                    what the annotations leave open stands in variables: ISTIO_INBOUND_PORTS='*'

        """;

    private static string Title(FlagGroup group) => group switch
    {
        FlagGroup.Inbound => "What enters the pod",
        FlagGroup.Outbound => "What processes of the pod send",
        FlagGroup.Dns => "Queries for names",
        FlagGroup.Proxy => "The proxy, and the way to it",
        FlagGroup.Applying => "Applying",
        _ => "Verifying",
    };

    /// <summary>The whole text.</summary>
    public static string Write()
    {
        var text = new StringBuilder(Head).Append('\n');
        foreach (IGrouping<FlagGroup, RedirectFlag> group in RedirectFlag.All.GroupBy(f => f.Group))
        {
            text.Append(Title(group.Key)).Append(":\n");
            foreach (RedirectFlag flag in group)
            {
                string names = flag.Short is char c ? $"-{c}, --{flag.Name}" : $"    --{flag.Name}";
                text.Append("  ").Append(names.PadRight(43)).Append(flag.Description).Append('\n');
            }
        }

        return text.Append(Tail).Append('\n').Append(ExitCodes.Text).Append('\n').ToString();
    }
}
