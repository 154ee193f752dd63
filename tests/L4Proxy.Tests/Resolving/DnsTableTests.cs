using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.L4Proxy.Tests.Resolving.Messages;
using static MeshL4.L4Proxy.Tests.Resolving.NameIndexTests;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>What the table answers, over real sockets.</summary>
public sealed class DnsTableTests
{
    private const string Web = "web.ns.svc.cluster.local";

    [Fact]
    public async Task Ask_NameOfTheTable_IsAnsweredWithTheQuestionsOwnLetters()
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        byte[] question = Question("WeB.nS.svc.Cluster.LOCAL", id: 0xBEEF);
        byte[] answer = await dns.AskAsync(question);
        answer[..2].ShouldBe(new byte[] { 0xBE, 0xEF });
        answer[2].ShouldBe((byte)0x85, "a response, authoritative, recursion desired as asked");
        answer[12..QuestionEnd(question)].ShouldBe(question[12..]);
        Addresses(question, answer).Order().ShouldBe(["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
        (await dns.AskOverTcpAsync(question)).Length.ShouldBe(answer.Length);
        dns.Counters.Answered.ShouldBe(2);
    }

    [Fact]
    public async Task Ask_HeadlessService_BeginsWithAnotherAddressEachTime()
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        var first = new HashSet<string>();
        for (int i = 0; i < 3; i++)
        {
            first.Add(Addresses(Question(Web), await dns.AskAsync(Question(Web)))[0]);
        }

        first.Count.ShouldBe(3);
    }

    [Theory]
    [InlineData(Web, Aaaa)]
    [InlineData("six.example", A)]
    [InlineData(Web, Txt)]
    public async Task Ask_KnownNameWithoutTheType_HasNoRecordAndNoError(string name, ushort type)
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        byte[] answer = await dns.AskAsync(Question(name, type));
        (Code(answer), Answers(answer), answer.Length).ShouldBe((0, 0, Question(name).Length));
    }

    [Fact]
    public async Task Ask_MoreAddressesThanFit_IsCutOverUdpAndWholeOverTcp()
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        dns.Apply(Host("many.example", "", [.. Enumerable.Range(1, 200).Select(i => $"10.2.0.{i}")]));
        byte[] question = Question("many.example"), larger = Question("many.example", edns: 1232);
        byte[] plain = await dns.AskAsync(question);
        (IsTruncated(plain), plain.Length <= 512, Answers(plain)).ShouldBe((true, true, 30));
        byte[] more = await dns.AskAsync(larger);
        (IsTruncated(more), more.Length <= 1232, Answers(more)).ShouldBe((true, true, 74));
        more[11].ShouldBe((byte)1, "EDNS is answered with EDNS");
        byte[] whole = await dns.AskOverTcpAsync(question);
        (IsTruncated(whole), Answers(whole)).ShouldBe((false, 200));
        dns.Counters.Truncated.ShouldBe(2);
    }

    [Fact]
    public async Task Ask_BeforeTheFirstTable_FailsUntilItCameOrHadItsTime()
    {
        using var server = new FakeServer(question => Answer(question, 3));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address] }, settled: false, table: false);
        Code(await dns.AskAsync(Question(Web))).ShouldBe(DnsMessage.ServerFailure);
        server.Asked.ShouldBeEmpty("a name of the mesh is asked for nowhere else");
        dns.Settled = true;
        Code(await dns.AskAsync(Question(Web))).ShouldBe(DnsMessage.NameError);
        dns.Apply(Host(Web));
        Addresses(Question(Web), await dns.AskAsync(Question(Web))).ShouldBe(["10.0.0.1"]);
        dns.Counters.BeforeTable.ShouldBe(1);
    }

    [Theory]
    [InlineData(5, DnsMessage.NotImplemented)]
    [InlineData(0, DnsMessage.FormatError)]
    public async Task Ask_WhatIsNoQuestion_IsToldSo(int opcode, int code)
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        byte[] message = Question(Web);
        message[2] |= (byte)(opcode << 3);
        byte[] answer = await dns.AskAsync(opcode == 0 ? [.. message, 1, 2, 3] : message);
        Code(answer).ShouldBe(code);
        dns.Counters.Malformed.ShouldBe(1);
    }

    [Fact]
    public void Decide_NameOfTheTable_AllocatesNothing()
    {
        using var loop = new MeshL4.TestKit.LoopFixture();
        var shared = new DnsShared(new DnsProxyConfig(), [], new NameContext("svc.cluster.local", "ns", "ns.svc.cluster.local"), 1, static () => true);
        shared.Apply(new MeshL4.L4Proxy.Config.Snapshots.NameTableSnapshot([Host(Web, "web.ns", "10.1.0.1", "10.1.0.2")]));
        var resolver = new DnsResolver(loop.Loop, shared);
        byte[] question = Question("web.ns.ns.svc.cluster.local", edns: 1232);
        Decide();
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Decide();
            }
        }).ShouldBe(0);
        Answers(resolver.Output).ShouldBe(3, "an alias and two addresses");

        void Decide()
        {
            if (resolver.Decide(question, resolver.Output, datagram: true, out _, out _, out _) != DnsDecision.Answer)
            {
                throw new InvalidOperationException("the table answers");
            }
        }
    }
}
