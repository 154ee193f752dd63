using System.Text.Json;
using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>A kernel that is behind with its own work breaks no promise.</summary>
public class VerifySlowKernelTests
{
    // The kernel makes the local route of an IPv6 address by a work queue, behind whatever holds its lock. An ip program that takes the
    // route away and gives it back a second later stands for it.
    [Theory]
    [InlineData("REDIRECT")]
    [InlineData("TPROXY")]
    [InlineData("TRANSPARENT")]
    public void Verify_LocalRouteOfAnIpv6AddressComesLate_AllHolds(string mode)
    {
        string slow = """
            d=$(mktemp -d); ip=$(command -v ip)
            cat > $d/ip <<END
            #!/bin/sh
            cat > $d/in; $ip "\$@" < $d/in; code=\$?
            if [ "\$1" = -6 ] && grep -q '^addr add' $d/in; then
                route="2001:db8:6d6c::82 dev ml4near table local"
                for i in \$(seq 3000); do $ip -6 route del local \$route && touch $d/taken && break; sleep 0.01; done 2> /dev/null
                (sleep 1; $ip -6 route add local \$route proto kernel metric 0) < /dev/null > /dev/null 2>&1 &
            fi
            exit \$code
            END
            chmod +x $d/ip
            """;
        (int code, JsonElement report, string error) = Verify(
            $"\"$0\" apply --verify off -m {mode} $flags || exit 10\n{slow}\nPATH=$d:$PATH", $"-m {mode} $flags", "[ -e $d/taken ] || code=11; rm -r $d");
        code.ShouldBe(0, error + report.GetRawText());
        Named(report, "broken").ShouldBeEmpty(report.GetRawText());
        Named(report, "notProvable").ShouldBeEmpty(report.GetRawText());
    }
}
