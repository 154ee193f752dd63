using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Matching;

public sealed class ListenerTableTests
{
    private static ListenerSnapshot Listener(string address, bool udp = false) =>
        new() { Name = address, Address = IPEndPoint.Parse(address), IsUdp = udp };

    [Theory]
    [InlineData("10.0.0.1:80", "10.0.0.1:80")]
    [InlineData("[::ffff:10.0.0.1]:80", "10.0.0.1:80")]
    [InlineData("10.0.0.2:80", "0.0.0.0:80")]
    [InlineData("[2001:db8::1]:80", "[2001:db8::1]:80")]
    [InlineData("[2001:db8::2]:80", "[::]:80")]
    [InlineData("10.0.0.1:81", "[::]:81")]
    [InlineData("[2001:db8::2]:82", null)]
    [InlineData("10.0.0.1:53", null)]
    [InlineData("10.0.0.1:9", null)]
    public void Find_OriginalDestination_ExactThenWildcard(string destination, string? expected)
    {
        var table = new ListenerTable(
        [
            Listener("0.0.0.0:80"), Listener("10.0.0.1:80"), Listener("[::]:80"), Listener("[2001:db8::1]:80"),
            Listener("[::]:81"), Listener("0.0.0.0:82"), Listener("0.0.0.0:53", udp: true),
        ]);
        table.Find(IPEndPoint.Parse(destination))?.Name.ShouldBe(expected);
        (table.Find(IPEndPoint.Parse(destination)) is null).ShouldBe(expected is null);
    }

    [Fact]
    public void Find_TenThousandListeners_FindsEachWithoutAllocating()
    {
        ListenerSnapshot[] listeners =
            [.. Enumerable.Range(0, 10_000).Select(i => Listener($"10.{i / 256}.{i % 256}.1:{1000 + (i % 7)}"))];
        var table = new ListenerTable([.. listeners]);
        listeners.ShouldAllBe(l => ReferenceEquals(table.Find((IPEndPoint)l.Address), l));
        var absent = IPEndPoint.Parse("192.0.2.1:1000");
        table.Find(absent).ShouldBeNull();
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                table.Find(absent);
            }
        }).ShouldBe(0);
    }
}
