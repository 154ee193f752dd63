using System.Net;
using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Plan;

public class Ipv6ChoiceTests
{
    [Theory]
    [InlineData(false, false, "10.1.2.3", "fd00::5")]
    [InlineData(false, false, "fd00::5", "10.1.2.3")]
    [InlineData(true, false, "fd00::5")]
    [InlineData(true, false, "fd00::5", "fe80::1", "::1", "127.0.0.1", "169.254.7.7")]
    [InlineData(false, false, "10.1.2.3")]
    [InlineData(false, false, "::ffff:10.1.2.3")]
    [InlineData(true, true, "10.1.2.3", "fd00::5")]
    [InlineData(true, true, "fd00::5")]
    [InlineData(false, true, "10.1.2.3", "fe80::1", "::1")]
    [InlineData(false, true, "10.1.2.3", "::ffff:10.1.2.3")]
    [InlineData(true, false, "127.0.0.1", "::1", "fe80::1")]
    [InlineData(true, true)]
    public void Of_Addresses_DecidesAsIstio(bool on, bool dualStack, params string[] addresses) =>
        Ipv6Choice.Of(addresses.Select(IPAddress.Parse), dualStack).On.ShouldBe(on);

    [Fact]
    public void Of_Off_NamesWhatIsLeftAlone()
    {
        IPAddress[] addresses = [IPAddress.Parse("10.1.2.3"), IPAddress.Parse("fe80::1"), IPAddress.Parse("fd00::5")];
        Ipv6Choice.Of(addresses, false).LeftAlone.ShouldBe([addresses[2]]);
        Ipv6Choice.Of(addresses, true).LeftAlone.ShouldBeEmpty();
    }
}
