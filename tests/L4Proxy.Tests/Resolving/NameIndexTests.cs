using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>Which host a name of a pod in namespace <c>ns</c> means.</summary>
public sealed class NameIndexTests
{
    private static readonly NameIndex Index = new(new NameTableSnapshot(
    [
        Host("*.example.com"), Host("*.wild.example.com"), Host("api.example.com"), Host("far.ns.svc.other.local", "far.ns"), Host("short"),
        Host("db-0.db.ns.svc.cluster.local", "db-0.db.ns"), Host("db.ns.svc.cluster.local", "db.ns"), Host("web.other.svc.cluster.local", "web.other"),
    ]), new NameContext("svc.cluster.local", "ns", "ns.svc.cluster.local"));

    [Theory]
    [InlineData("db.ns.svc.cluster.local", "db.ns.svc.cluster.local", "db.ns.svc.cluster.local")]
    [InlineData("db.ns.svc", "db.ns.svc.cluster.local", "db.ns.svc")]
    [InlineData("db.ns", "db.ns.svc.cluster.local", "db.ns")]
    [InlineData("db", "db.ns.svc.cluster.local", "db")]
    [InlineData("web.other", "web.other.svc.cluster.local", "web.other")]
    [InlineData("db-0.db", "db-0.db.ns.svc.cluster.local", "db-0.db")]
    [InlineData("short", "short", "short")]
    [InlineData("api.example.com", "api.example.com", "api.example.com")]
    [InlineData("x.example.com", "*.example.com", "x.example.com")]
    [InlineData("x.y.example.com", "*.example.com", "x.y.example.com")]
    [InlineData("x.wild.example.com", "*.wild.example.com", "x.wild.example.com")]
    [InlineData("far.ns.svc.other.local", "far.ns.svc.other.local", "far.ns.svc.other.local")]
    [InlineData("api.example.com.ns.svc.cluster.local", "api.example.com", "api.example.com")]
    [InlineData("x.example.com.ns.svc.cluster.local", "*.example.com", "x.example.com")]
    [InlineData("web.other.ns.svc.cluster.local", "web.other.svc.cluster.local", "web.other")]
    [InlineData("db.ns.svc.cluster.local.ns.svc.cluster.local", "db.ns.svc.cluster.local", "db.ns.svc.cluster.local")]
    public void TryFind_NameOfTheMesh_IsTheHostAndWhatTheClientMeant(string name, string host, string meant)
    {
        Index.TryFind(name, out NameMatch match).ShouldBeTrue();
        match.Entry.Host.ShouldBe(host);
        name[..match.BaseLength].ShouldBe(meant);
    }

    [Theory]
    [InlineData("")]
    [InlineData("web")]
    [InlineData("web.other.svc.cluster")]
    [InlineData("far.ns")]
    [InlineData("example.com")]
    [InlineData("ns.svc.cluster.local")]
    [InlineData("db.ns.svc.cluster.local.other.svc.cluster.local")]
    [InlineData("nothing.ns.svc.cluster.local")]
    public void TryFind_OtherName_IsNotFound(string name) => Index.TryFind(name, out _).ShouldBeFalse();

    [Fact]
    public void TryFind_LongestNames_StayInBounds()
    {
        foreach (int length in Enumerable.Range(240, 14))
        {
            Index.TryFind(new string('a', length), out _).ShouldBeFalse();
            Index.TryFind("." + new string('a', length - 1), out _).ShouldBeFalse();
        }
    }

    [Fact]
    public void TryFind_Allocates_Nothing()
    {
        Find();
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Find();
            }
        }).ShouldBe(0);

        static void Find()
        {
            Index.TryFind("db", out _);
            Index.TryFind("x.example.com.ns.svc.cluster.local", out _);
            Index.TryFind("nothing.at.all", out _);
        }
    }

    internal static NameEntry Host(string host, string service = "", params string[] addresses)
    {
        ILookup<bool, IPAddress> all = (addresses.Length > 0 ? addresses : ["10.0.0.1"]).Select(IPAddress.Parse).ToLookup(a => a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork);
        return new NameEntry(host, [.. all[true]], [.. all[false]]) { ServiceName = service };
    }
}
