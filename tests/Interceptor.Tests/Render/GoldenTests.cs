using System.Net.Sockets;
using System.Runtime.CompilerServices;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;
using MeshL4.Interceptor.Tests.Oracle;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Render;

/// <summary>Renderings held against files. Set MESHL4_WRITE_GOLDEN=1 to write them anew, and read the difference.</summary>
public class GoldenTests
{
    public static TheoryData<string, string> Cases => new()
    {
        { "nothing", "" },
        { "everything", "b=* d=15090,15021 i=*" },
        { "everything-v4", "b=* i=* 6=off" },
        { "lists", "b=80,443,8000-8010 i=10.0.0.0/8,192.168.0.0/16,2001:db8::/32 q=6379" },
        { "exclusions", "b=* d=22 i=* x=11.0.0.0/8,12.0.0.0/8,fd00::/8 o=3306,5432-5440 c=eth1,veth+" },
        { "two-uids", "b=* i=* u=3,4 g=1,2" },
        { "loopback-included", "i=127.1.2.3/32" },
        { "many-ports", "b=* i=* d=1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31-33,40" },
        { "whole-families", "i=0.0.0.0/0,::/0" },
        { "tproxy", "m=TPROXY b=* d=22 i=*" },
        { "tproxy-marked", "m=TPROXY b=80,443 i=10.0.0.0/8 t=4242 r=200 k=tap0 s=10.9.0.0/16" },
        { "transparent", "m=TRANSPARENT b=* i=*" },
        { "transparent-udp", "m=TRANSPARENT b=80 i=* x=10.0.0.0/8 U=53,7000-7010" },
        { "transparent-all-udp", "m=TRANSPARENT b=* i=* U=* 6=off" },
        { "dns-servers", "i=10.0.0.0/8 D=true S=10.96.0.10,fd00::10" },
        { "dns-all", "i=* u=3,4 g=1,2 D=true A=true" },
        { "drop-invalid", "b=* i=* I=true" },
        { "owner-groups", "i=* O=9001,9002" },
        { "owner-groups-excluded", "i=* E=9001,9002" },
        { "kube-virt", "b=* i=* x=10.1.0.0/16 k=eth1,tap+" },
        { "user-exclusions", "i=* P=tcp:22,8000-8010:1000,2000-2999 D=true A=true" },
        { "excluded-sources", "b=* i=* s=10.0.0.0/8,fd00::/8" },
        { "dual-stack-off", "b=* d=22 i=10.0.0.0/8 m=TPROXY D=true S=10.96.0.10 6=off" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Render_Case_MatchesGoldenFile(string name, string flags)
    {
        RedirectPlan plan = RedirectPlanner.Plan(Flags.Options([.. flags.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Flag)]));
        Check($"{name}.nft", NftScript.Replace(plan));
        CheckIptables(name, plan);
        Check($"{name}.json", PlanJson.Write(plan));
        Check($"{name}.txt", PlanText.Write(plan));
    }

    public static TheoryData<string> IstioCases => [.. IstioCase.All.Select(c => c.Name)];

    // What we have where Istio keeps golden rules; that the verdicts are the same is DifferentialTests' to show.
    [Theory]
    [MemberData(nameof(IstioCases))]
    public void Render_CaseOfIstios_MatchesGoldenFile(string name)
    {
        RedirectPlan plan = RedirectPlanner.Plan(IstioCase.All.Single(c => c.Name == name).Options);
        Check($"istio-{name}.nft", NftScript.Replace(plan));
        CheckIptables($"istio-{name}", plan);
    }

    private static void CheckIptables(string name, RedirectPlan plan)
    {
        if (name.StartsWith("transparent", StringComparison.Ordinal))
        {
            // Its rules ask for the sending socket, which iptables does not know: half of them would be worse than none.
            Should.Throw<NotSupportedException>(() => IptablesText.Restore(plan, AddressFamily.InterNetwork));
            return;
        }

        Check($"{name}.v4.iptables", IptablesText.Restore(plan, AddressFamily.InterNetwork));
        Check($"{name}.v6.iptables", plan.WithIpv6 ? IptablesText.Restore(plan, AddressFamily.InterNetworkV6) : "");
    }

    private static (string, string) Flag(string text) => (text[0] switch
    {
        'b' => "istio-inbound-ports",
        'd' => "istio-local-exclude-ports",
        'i' => "istio-service-cidr",
        'x' => "istio-service-exclude-cidr",
        'q' => "istio-outbound-ports",
        'o' => "istio-local-outbound-ports-exclude",
        'c' => "istio-exclude-interfaces",
        'u' => "proxy-uid",
        'g' => "proxy-gid",
        'm' => "istio-inbound-interception-mode",
        't' => "istio-inbound-tproxy-mark",
        'r' => "istio-inbound-tproxy-route-table",
        'k' => "kube-virt-interfaces",
        's' => "subnets-to-ignore",
        'U' => "capture-udp",
        'D' => "redirect-dns",
        'A' => "capture-all-dns",
        'S' => "dns-servers",
        'I' => "drop-invalid",
        'O' => "istio-outbound-owner-groups",
        'E' => "istio-outbound-owner-groups-exclude",
        'P' => "exclude-outbound-ports-for-uids",
        _ => "ipv6",
    }, text[2..]);

    private static void Check(string file, string rendered, [CallerFilePath] string here = "")
    {
        string path = Path.Combine(Path.GetDirectoryName(here)!, "..", "Golden", file);
        if (Environment.GetEnvironmentVariable("MESHL4_WRITE_GOLDEN") == "1")
        {
            File.WriteAllText(path, rendered);
        }

        rendered.ShouldBe(File.ReadAllText(path));
    }
}
