namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>TPROXY for what the pod sends, written by hand as an administrator would: what goes out gets a mark, the mark leads back to
/// lo, and there it goes to port 15001 as it is. No NAT.</summary>
internal static class TransparentRules
{
    /// <summary>Captures these ports, TCP and UDP, of everybody but uid 1337.</summary>
    public static void Outbound(Pod pod, params int[] ports)
    {
        foreach (string family in new[] { "-4", "-6" })
        {
            pod.Exec("ip", family, "rule", "add", "fwmark", "1337", "lookup", "133");
            pod.Exec("ip", family, "route", "add", "local", "default", "dev", "lo", "table", "133");
        }

        pod.Exec("nft", $$"""
            table inet byhand {
                chain out {
                    type route hook output priority mangle;
                    meta skuid 1337 accept
                    oifname lo accept
                    meta l4proto { tcp, udp } th dport { {{string.Join(", ", ports)}} } meta mark set 1337
                }
                chain pre {
                    type filter hook prerouting priority mangle;
                    iifname lo meta mark 1337 meta l4proto { tcp, udp } tproxy to :15001 accept
                }
            }
            """);
    }

    /// <summary>Captures these ports of what comes in over eth0.</summary>
    public static void Inbound(Pod pod, params int[] ports)
    {
        foreach (string family in new[] { "-4", "-6" })
        {
            pod.Exec("ip", family, "rule", "add", "fwmark", "1337", "lookup", "133");
            pod.Exec("ip", family, "route", "add", "local", "default", "dev", "lo", "table", "133");
        }

        pod.Exec("nft", $$"""
            table inet byhand {
                chain pre {
                    type filter hook prerouting priority mangle;
                    iifname eth0 meta l4proto { tcp, udp } th dport { {{string.Join(", ", ports)}} } meta mark set 1337 tproxy to :15001 accept
                }
            }
            """);
    }
}
