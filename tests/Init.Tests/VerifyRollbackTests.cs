using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>Rules that do not hold what they promise do not stay.</summary>
public class VerifyRollbackTests
{
    [Theory]
    [InlineData("")]
    [InlineData("--force-iptables-binary nft")]
    [InlineData("--force-iptables-binary legacy")]
    public void Apply_RulesThatDoNotHold_EarlierOnesComeBack(string more)
    {
        // Somebody else's rule that comes before ours takes the application's connections elsewhere.
        string script = $$"""
            rules() { nft -s list table inet meshl4; iptables-nft-save; iptables-legacy-save; } 2>/dev/null
            list() { rules | grep -i meshl4 | sed 's/\[.*\]//'; }
            nft 'add table ip other; add chain ip other c { type nat hook output priority -150; }; add rule ip other c tcp dport 8080 redirect to :9'
            "$0" -b 80 -i 11.0.0.0/8 -q 7777 {{more}} || exit 10
            before=$(list); [ -n "$before" ] || exit 11
            "$0" $flags {{more}} -o 80 --probe-timeout 1s; [ $? = 126 ] || exit 12
            [ "$before" = "$(list)" ] || exit 13
            "$0" diff -b 80 -i 11.0.0.0/8 -q 7777 {{more}} || exit 14
            "$0" cleanup; "$0" $flags {{more}} -o 80 --probe-timeout 1s; [ $? = 126 ] || exit 15
            [ -z "$(list)" ] || exit 16
            """;
        (int code, _, string error) = Run(script);
        code.ShouldBe(0, error);
    }

    [Theory]
    [InlineData("--force-iptables-binary nft", "")]
    [InlineData("--force-iptables-binary legacy", "--force-iptables-binary nft")]
    [InlineData("", "--force-iptables-binary legacy")]
    public void Apply_RulesThatDoNotHoldByAnotherBackend_EarlierOnesComeBackInTheirs(string earlier, string now)
    {
        string script = $$"""
            list() { { nft -s list table inet meshl4; iptables-nft-save; ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save; } 2>/dev/null | grep -i meshl4 | sed 's/\[.*\]//'; }
            "$0" -b 80 -q 7777 {{earlier}} || exit 10
            before=$(list); [ -n "$before" ] || exit 11
            nft 'add table ip other; add chain ip other c { type nat hook output priority -150; }; add rule ip other c tcp dport 80 redirect to :9'
            "$0" $flags {{now}}; [ $? = 126 ] || exit 12
            [ "$before" = "$(list)" ] || exit 13
            """;
        (int code, _, string error) = Run(script);
        code.ShouldBe(0, error);
    }
}
