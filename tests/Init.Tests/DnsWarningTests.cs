using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>Captured name resolution with nobody behind it is an outage: apply names what must listen, and falls silent when it does.</summary>
public class DnsWarningTests
{
    private const string Dns = "--redirect-dns --capture-all-dns --verify off";
    private const string Listener = "; until a DNS listener does, no name resolves in this pod. meshl4-proxy has one (DNS_CAPTURE in the node's metadata, or DnsProxyOptions)";

    [Theory]
    [InlineData("", "", "port 15053 (UDP and TCP) yet")]
    [InlineData("-m TPROXY", "", "port 15053 (UDP and TCP) yet")]
    [InlineData("", "TCP-LISTEN:15053,fork", "port 15053 (UDP) yet")]
    [InlineData("", "UDP-RECV:15053", "port 15053 (TCP) yet")]
    [InlineData("", "UDP6-RECV:15053", "port 15053 (TCP) yet")]
    public void Apply_NobodyListens_NamesWhatMust(string mode, string present, string missing)
    {
        (int code, string output, string error) = Run($"{Listening(present)} \"$0\" -b 80 {Dns} {mode}");
        code.ShouldBe(0, output + error);
        error.ShouldContain($"redirect-dns: nothing listens on {missing}{Listener}, and so have agents of other meshes\n");
    }

    [Fact]
    public void Apply_TransparentMode_SaysThatTheListenerMustBeTransparent()
    {
        (int code, string output, string error) = Run($"\"$0\" -b 80 {Dns} -m TRANSPARENT");
        code.ShouldBe(0, output + error);
        error.ShouldContain($"{Listener}, and so have agents of other meshes; in this mode it must have transparent: true\n");
    }

    [Theory]
    [InlineData(Dns, "UDP-RECV:15053", "TCP-LISTEN:15053,fork")]
    [InlineData("--verify off", "", "")]
    [InlineData(Dns + " --redirect-outbound=false", "", "")]
    public void Apply_SomebodyListensOrNothingIsCaptured_IsSilent(string flags, string one, string other)
    {
        (int code, string output, string error) = Run($"{Listening(one)} {Listening(other)} \"$0\" -b 80 {flags}");
        code.ShouldBe(0, output + error);
        error.ShouldNotContain("warning");
    }

    private static string Listening(string address) => address.Length == 0 ? "" : $$"""
        socat -u {{address}} OPEN:/dev/null & pids="$pids $!"; trap 'kill $pids' EXIT
        for i in $(seq 3000); do ss -Hlntu | grep -q '{{(address[0] == 'U' ? "udp" : "tcp")}} .*:15053 ' && break; sleep 0.01; done

        """;
}
