using MeshL4.L4Proxy.Resolving;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Resolving;

public sealed class ResolverFileTests
{
    [Theory]
    [InlineData("nameserver 10.96.0.10\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5\n", "10.96.0.10:53", "ns.svc.cluster.local")]
    [InlineData("# comment\n; comment\n  nameserver\tfd00::a # why\r\nnameserver 10.0.0.1\r\ndomain Example.COM.\r\n", "[fd00::a]:53 10.0.0.1:53", "example.com")]
    [InlineData("nameserver not-an-address\nnameserver\nsearch\n", "", "")]
    [InlineData("search a\ndomain b\n", "", "b")]
    [InlineData("", "", "")]
    public void Parse_Lines_GivesServersAndTheFirstSearchDomain(string text, string servers, string search)
    {
        ResolverFile file = ResolverFile.Parse(text);
        string.Join(' ', file.Servers).ShouldBe(servers);
        file.Search.ShouldBe(search);
    }

    [Fact]
    public void Parse_ManyServers_KeepsEight() =>
        ResolverFile.Parse(string.Concat(Enumerable.Range(1, 200).Select(i => $"nameserver 10.0.0.{i}\n"))).Servers.Length.ShouldBe(8);

    [Fact]
    public void Read_AbsentFile_SaysSo()
    {
        ResolverFile.Read("/nowhere/resolv.conf", out string? problem).Servers.ShouldBeEmpty();
        problem.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("search a.example b.example\noptions timeout:1 ndots:5 rotate\n", "x.y", "x.y.a.example x.y.b.example x.y")]
    [InlineData("search a.example\n", "x.y", "x.y x.y.a.example")]
    [InlineData("search a.example\n", "x", "x.a.example x")]
    [InlineData("search a.example\noptions ndots:5\n", "x.", "x")]
    [InlineData("domain a.example b.example\noptions ndots:0\n", "x", "x x.a.example")]
    [InlineData("options ndots:no\n", "x", "x")]
    public void Candidates_AreThoseOfLibc(string text, string host, string names) =>
        string.Join(' ', ResolverFile.Parse(text).Candidates(host)).ShouldBe(names);
}
