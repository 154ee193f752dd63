using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.L4Proxy.Tests.Resolving.Messages;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>Names outside the table: servers that answer, lie, are silent, refuse or are the proxy itself.</summary>
public sealed class DnsForwardTests
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    // A third of it is waited for a silent server, the rest is for the others.
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(12);

    [Fact]
    public async Task Ask_OtherName_GetsTheServersAnswerUnderItsOwnIdAndLetters()
    {
        using var server = new FakeServer(question => Answer([.. question.Select(LowerCase)], 0, Address(9, 9, 9, 9)));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address] });
        byte[] question = Question("ExT.Example", id: 0x4242);
        byte[] answer = await dns.AskAsync(question);
        answer[..2].ShouldBe(new byte[] { 0x42, 0x42 });
        answer[12..QuestionEnd(question)].ShouldBe(question[12..]);
        Addresses(question, answer).ShouldBe(["9.9.9.9"]);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Ask_ManyTimes_EachHasAPortAndAnIdOfItsOwn()
    {
        using var server = new FakeServer(question => Answer(question));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address] });
        for (int i = 0; i < 20; i++)
        {
            await dns.AskAsync(Question("a.example", id: 7));
        }

        server.Asked.Select(asked => asked.Port).Distinct().Count().ShouldBeGreaterThan(10);
        server.Asked.Select(asked => DnsMessage.Id(asked.Message)).Distinct().Count().ShouldBeGreaterThan(15);
    }

    public static TheoryData<string, Func<byte[], byte[]>> Lies() => new()
    {
        { "another id", answer => Changed(answer, 0, 0xFF) },
        { "another name", answer => Changed(answer, 13, 1) },
        { "another type", answer => Changed(answer, QuestionEnd(answer) - 3, 4) },
        { "a question", answer => Changed(answer, 2, 0x80) },
        { "no header", answer => answer[..11] },
        { "no bytes", _ => [] },
        { "two questions", answer => Changed(answer, 5, 3) },
        { "a question cut short", answer => answer[..(QuestionEnd(answer) - 1)] },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task Ask_ForeignAnswersFirst_TakesOnlyTheRightOne(string what, Func<byte[], byte[]> lie)
    {
        using var server = new FakeServer(question => [lie(Answer(question, 0, Address(6, 6, 6, 6))), Answer(question, 0, Address(9, 9, 9, 9))]);
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address] });
        byte[] question = Question("ext.example");
        Addresses(question, await dns.AskAsync(question)).ShouldBe(["9.9.9.9"], what);
        dns.Counters.UpstreamMismatches.ShouldBe(1);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Ask_AnswerFromAnotherAddress_IsNotTaken()
    {
        using var stranger = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        using var server = new FakeServer(static _ => Array.Empty<byte[]>());
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address], QueryTimeout = Short });
        Task<byte[]> asked = dns.AskAsync(Question("ext.example"));
        await Patience.UntilAsync(() => !server.Asked.IsEmpty, "the server is asked");
        (byte[] message, int port) = server.Asked.First();
        await stranger.SendAsync(Answer(message, 0, Address(6, 6, 6, 6)), new IPEndPoint(IPAddress.Loopback, port));
        Code(await asked).ShouldBe(DnsMessage.ServerFailure);
        await dns.AtRestAsync();
    }

    [Theory]
    [InlineData(DnsMessage.ServerFailure)]
    [InlineData(DnsMessage.Refused)]
    [InlineData(DnsMessage.FormatError)]
    public async Task Ask_FirstServerCannot_TheNextIsAsked(int code)
    {
        using var bad = new FakeServer(question => Answer(question, code));
        using var good = new FakeServer(question => Answer(question, 0, Address(9, 9, 9, 9)));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [FakeServer.Nobody(), bad.Address, good.Address] });
        byte[] question = Question("ext.example");
        Addresses(question, await dns.AskAsync(question)).ShouldBe(["9.9.9.9"]);
        dns.Counters.UpstreamRetries.ShouldBe(2);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Ask_SilentServerThenAnother_GetsTheOthersAnswer()
    {
        using var silent = new FakeServer(static _ => Array.Empty<byte[]>());
        using var good = new FakeServer(question => Answer(question, 0, Address(9, 9, 9, 9)));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [silent.Address, good.Address], QueryTimeout = Long });
        byte[] question = Question("ext.example");
        Addresses(question, await dns.AskAsync(question)).ShouldBe(["9.9.9.9"]);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Ask_NobodyAnswers_Fails_AndAKnownNameHasNoSuchRecord()
    {
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [FakeServer.Nobody()], QueryTimeout = Short });
        Code(await dns.AskAsync(Question("ext.example"))).ShouldBe(DnsMessage.ServerFailure);
        Code(await dns.AskAsync(Question("web.ns.svc.cluster.local", Txt))).ShouldBe(DnsMessage.NoError);
        Code(await dns.AskOverTcpAsync(Question("ext.example"))).ShouldBe(DnsMessage.ServerFailure);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Ask_OtherTypeOfAKnownName_IsTheServersToAnswer_ButNotToDeny()
    {
        bool there = true;
        using var server = new FakeServer(question => there ? Answer(question, 0, [0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 2, 1, 65]) : Answer(question, DnsMessage.NameError));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address] });
        byte[] question = Question("web.ns.svc.cluster.local", Txt);
        Answers(await dns.AskAsync(question)).ShouldBe(1);
        there = false;
        byte[] denied = await dns.AskAsync(question);
        (Code(denied), Answers(denied)).ShouldBe((DnsMessage.NoError, 0));
    }

    [Fact]
    public async Task Ask_AnswerLongerThanAskedFor_IsCut()
    {
        using var server = new FakeServer(question => Answer(question, 0, [.. Enumerable.Repeat(Address(9, 9, 9, 9), 60)]));
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [server.Address] });
        byte[] cut = await dns.AskAsync(Question("ext.example"));
        (IsTruncated(cut), Answers(cut)).ShouldBe((true, 0));
        Answers(await dns.AskAsync(Question("ext.example", edns: 1232))).ShouldBe(60);
    }

    [Fact]
    public async Task Ask_MoreThanMayWait_TheRestIsToldAtOnce()
    {
        using var silent = new FakeServer(static _ => Array.Empty<byte[]>());
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [silent.Address], MaxPendingQueries = 4 });
        using var client = new UdpClient(AddressFamily.InterNetwork);
        for (int i = 0; i < 4; i++)
        {
            await client.SendAsync(Question($"a{i}.example"), dns.Address);
        }

        await Patience.UntilAsync(() => Volatile.Read(ref dns.Counters.Pending) == 4, "four wait");
        Code(await dns.AskAsync(Question("one.more"))).ShouldBe(DnsMessage.ServerFailure);
        dns.Counters.Overflow.ShouldBe(1);
        Code(await dns.AskAsync(Question("web.ns.svc.cluster.local"))).ShouldBe(DnsMessage.NoError, "names of the table need no server");
    }

    [Fact]
    public void IsOurs_PortAndIdInFlight_AndNothingElse()
    {
        var own = new OwnQueries();
        own.Sent(4711, 0x1234);
        own.IsOurs(4711, 0x1234).ShouldBeTrue();
        own.IsOurs(4711, 0x1235).ShouldBeFalse();
        own.IsOurs(4712, 0x1234).ShouldBeFalse();
        own.Over(4711, 0x1234);
        own.IsOurs(4711, 0x1234).ShouldBeFalse();
    }

    [Fact]
    public async Task Open_ServerThatIsTheProxyItself_IsLeftOut()
    {
        int port = Bootstrap.FreePort();
        using var loop = new LoopFixture();
        var here = new IPEndPoint(IPAddress.Loopback, port);
        using DnsProxy proxy = DnsProxy.Open(
            new DnsProxyConfig { Addresses = [here], Upstreams = [here, new(IPAddress.Parse("10.0.0.1"), 53)], IsExplicit = true },
            [new MeshL4.L4Proxy.Listening.LoopWorker(loop.Loop)], new MeshL4.L4Proxy.Filtering.LoopGuard(), static () => true,
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance)!;
        proxy.Shared.Servers.ShouldBe([new IPEndPoint(IPAddress.Parse("10.0.0.1"), 53)]);
        await loop.OnAsync(static () => { });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_PortOfAnother_IsAnErrorOnlyWhereItWasAskedFor(bool isExplicit)
    {
        using var agent = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        using var loop = new LoopFixture();
        var config = new DnsProxyConfig { Addresses = [(IPEndPoint)agent.Client.LocalEndPoint!], IsExplicit = isExplicit };
        DnsProxy? Open() => DnsProxy.Open(
            config, [new MeshL4.L4Proxy.Listening.LoopWorker(loop.Loop)], new MeshL4.L4Proxy.Filtering.LoopGuard(), static () => true,
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        if (isExplicit)
        {
            Should.Throw<IOException>(Open).Message.ShouldContain("Address already in use");
        }
        else
        {
            Open().ShouldBeNull();
        }
    }

    private static byte LowerCase(byte octet) => octet is >= (byte)'A' and <= (byte)'Z' ? (byte)(octet | 0x20) : octet;

    private static byte[] Changed(byte[] message, int at, byte with)
    {
        message[at] ^= with;
        return message;
    }
}
