using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Plan;

public class SetTests
{
    [Fact]
    public void PortSet_TouchingAndOverlappingRanges_AreJoined() =>
        new PortSet([new(90, 95), new(80, 80), new(81, 85), new(84, 84)]).ToString().ShouldBe("80-85, 90-95");

    [Theory]
    [InlineData("10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8")]
    [InlineData("10.1.0.0/16 10.0.0.0/8 10.0.0.0/8", "10.0.0.0/8")]
    [InlineData("11.0.0.0/8 12.0.0.0/8", "11.0.0.0/8, 12.0.0.0/8")]
    [InlineData("0.0.0.0/1 128.0.0.0/1", "0.0.0.0/0")]
    [InlineData("10.0.0.0/10 10.64.0.0/10 10.128.0.0/9", "10.0.0.0/8")]
    [InlineData("10.0.0.0/8 ::/0", "10.0.0.0/8")]
    public void CidrSet_NestedAndHalves_BecomeTheFewestBlocks(string blocks, string expected) =>
        CidrSet.Of(AddressFamily.InterNetwork, blocks.Split(' ').Select(b => IPNetwork.Parse(b))).ToString().ShouldBe(expected);

    [Theory]
    [InlineData("11.0.0.0/8 12.0.0.0/8", "11.0.0.0-12.255.255.255")]
    [InlineData("1.2.3.4/32", "1.2.3.4")]
    [InlineData("255.255.255.255/32 255.255.255.254/32", "255.255.255.254/31")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("10.255.255.0/24 11.0.0.0/32", "10.255.255.0-11.0.0.0")]
    [InlineData("10.0.0.0/24 10.0.2.0/24", "10.0.0.0/24 10.0.2.0/24")]
    [InlineData("10.0.0.255/32 11.0.1.0/32", "10.0.0.255 11.0.1.0")]
    [InlineData("fd00:0:0:ff::/64 fd00:0:0:100::/64", "fd00:0:0:ff::-fd00::100:ffff:ffff:ffff:ffff")]
    [InlineData("ffff:8000::/17 ffff::/17", "ffff::/16")]
    public void AddressRange_NeighbouringBlocks_AreOneRange(string blocks, string expected)
    {
        IPNetwork[] parsed = [.. blocks.Split(' ').Select(b => IPNetwork.Parse(b))];
        string.Join(' ', AddressRange.Join(CidrSet.Of(parsed[0].BaseAddress.AddressFamily, parsed))).ShouldBe(expected);
    }
}
