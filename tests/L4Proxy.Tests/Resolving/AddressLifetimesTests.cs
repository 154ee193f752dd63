using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>How long addresses live, asked of servers that are UDP sockets of the test.</summary>
public sealed class AddressLifetimesTests : IDisposable
{
    private readonly UdpClient _server = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly List<string> _asked = [];
    private readonly string _file = Path.GetTempFileName();
    private readonly AddressLifetimes _lifetimes;

    public AddressLifetimesTests()
    {
        _lifetimes = new AddressLifetimes(_file, Patience.Limit, ((IPEndPoint)_server.Client.LocalEndPoint!).Port);
        File.WriteAllText(_file, "nameserver 127.0.0.1\nsearch ns.svc svc\noptions timeout:1 ndots:2\n");
    }

    public void Dispose()
    {
        _server.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task Answer_WithSeveralRecords_LivesAsLongAsTheShortest_AliasesToo()
    {
        Serve(static (question, _, _) => Messages.Answer(question, 0, Alias(40), Address(60), Address(50)));
        (await AskAsync("a.b.example")).ShouldBe(TimeSpan.FromSeconds(40));
        _asked.ShouldBe(["a.b.example 1"]);
    }

    [Fact]
    public async Task BothFamilies_LiveAsLongAsTheShorter()
    {
        Serve(static (question, _, type) => type == Messages.A ? Messages.Answer(question, 0, Address(60)) : Messages.Answer(question, 0, Address6(9)));
        (await AskAsync("a.b.example", v6: true)).ShouldBe(TimeSpan.FromSeconds(9));
    }

    [Fact]
    public async Task Name_IsLookedForAsLibcDoes()
    {
        Serve(static (question, name, _) => name == "short.svc" ? Messages.Answer(question, 0, Address(8)) : Messages.Answer(question, 3));
        (await AskAsync("short")).ShouldBe(TimeSpan.FromSeconds(8));
        _asked.ShouldBe(["short.ns.svc 1", "short.svc 1"]);
        _asked.Clear();
        (await AskAsync("x.y.z.")).ShouldBeNull("a final dot ends the name");
        _asked.ShouldBe(["x.y.z 1"]);
        _asked.Clear();
        (await AskAsync("x.y.z")).ShouldBeNull();
        _asked.ShouldBe(["x.y.z 1", "x.y.z.ns.svc 1", "x.y.z.svc 1"]);
    }

    [Fact]
    public async Task NameThatExistsWithoutAddresses_IsSearchedOn_AndAFailureIsNot()
    {
        Serve(static (question, name, _) => name == "short.ns.svc" ? Messages.Answer(question) : Messages.Answer(question, 2));
        (await AskAsync("short")).ShouldBeNull();
        _asked.ShouldBe(["short.ns.svc 1", "short.svc 1"], "behind a server's failure nobody knows which name libc took");
    }

    [Fact]
    public async Task ForeignAnswers_AreLeftOut()
    {
        Serve(static (question, _, _) => Messages.Answer(question, 0, Address(8)), static answer =>
        {
            byte[] foreign = [.. answer];
            foreign[0] ^= 1;
            return [foreign, [1, 2, 3], answer];
        });
        (await AskAsync("a.b.example")).ShouldBe(TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task AnswerThatBreaksOff_SaysWhatItHas()
    {
        Serve(static (question, _, _) => [.. Messages.Answer(question, 0, Address(8), Address(7))[..^20]]);
        (await AskAsync("a.b.example")).ShouldBeOneOf(TimeSpan.FromSeconds(8), null);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("a..b.example")]
    [InlineData("\u00fcmlaut.b.example")]
    public async Task WhatIsNoName_IsNotAskedFor(string host)
    {
        File.WriteAllText(_file, "nameserver 127.0.0.1\n");
        (await AskAsync(host)).ShouldBeNull();
        _asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task WithoutServers_NobodyKnows()
    {
        File.WriteAllText(_file, "");
        (await AskAsync("a.b.example")).ShouldBeNull();
    }

    [Fact]
    public async Task AddressesAndTheNameAskedFor_AreTold()
    {
        Serve(static (question, name, type) => name != "short.svc" ? Messages.Answer(question, 3)
            : type == Messages.A ? Messages.Answer(question, 0, Address(60)) : Messages.Answer(question, 0, Address6(9)));
        AddressLife told = (await _lifetimes.AskAsync("short", v4: true, v6: true, null, CancellationToken.None).WaitAsync(Patience.Limit)).ShouldNotBeNull();
        told.Addresses.ShouldBe([IPAddress.Parse("10.0.0.1"), IPAddress.IPv6Loopback]);
        told.Name.ShouldBe("short.svc");
        told.For([IPAddress.Parse("10.0.0.2"), IPAddress.IPv6Loopback]).ShouldBe(TimeSpan.FromSeconds(9));
        told.For([IPAddress.Parse("10.0.0.2")]).ShouldBeNull();
    }

    [Theory]
    [InlineData("short.svc", "short.svc 1")]
    [InlineData("short.elsewhere", "short.ns.svc 1", "short.svc 1")]
    public async Task NameThatAnsweredLast_IsAskedForFirst_IfItIsOneStill(string before, params string[] asked)
    {
        Serve(static (question, name, _) => name == "short.svc" ? Messages.Answer(question, 0, Address(8)) : Messages.Answer(question, 3));
        (await AskAsync("short", before: before)).ShouldBe(TimeSpan.FromSeconds(8));
        _asked.ShouldBe(asked);
    }

    [Fact]
    public async Task ManySearchDomains_LeaveTheNameItself()
    {
        File.WriteAllText(_file, $"nameserver 127.0.0.1\nsearch {string.Join(' ', Enumerable.Range(1, 12).Select(static number => "d" + number))}\noptions ndots:2\n");
        Serve(static (question, name, _) => name == "short" ? Messages.Answer(question, 0, Address(8)) : Messages.Answer(question, 3));
        (await AskAsync("short")).ShouldBe(TimeSpan.FromSeconds(8));
        _asked.Count.ShouldBe(9);
    }

    /// <summary>A question is sent before the call returns, if it is its turn.</summary>
    [Fact]
    public async Task ThousandsOfQuestions_TakeTurns()
    {
        List<Task<TimeSpan?>> told = [.. Enumerable.Range(0, 150).Select(number => AskAsync($"n{number}.b.example"))];
        var held = new List<UdpReceiveResult>();
        for (int i = 0; i < 64; i++)
        {
            held.Add(await _server.ReceiveAsync().WaitAsync(Patience.Limit));
        }

        _server.Available.ShouldBe(0, "the others wait");
        foreach (UdpReceiveResult question in held)
        {
            await _server.SendAsync(Messages.Answer(question.Buffer, 0, Address(8)), question.RemoteEndPoint);
        }

        Serve(static (question, _, _) => Messages.Answer(question, 0, Address(8)));
        (await Task.WhenAll(told)).ShouldAllBe(static life => life == TimeSpan.FromSeconds(8));
    }

    private async Task<TimeSpan?> AskAsync(string host, bool v6 = false, string? before = null)
        => (await _lifetimes.AskAsync(host, v4: true, v6, before, CancellationToken.None).WaitAsync(Patience.Limit))?.Time;

    private void Serve(Func<byte[], string, ushort, byte[]> answer, Func<byte[], byte[][]>? send = null) => _ = Task.Run(async () =>
    {
        try
        {
            while (true)
            {
                UdpReceiveResult question = await _server.ReceiveAsync();
                string name = Name(question.Buffer);
                ushort type = question.Buffer[Messages.QuestionEnd(question.Buffer) - 3];
                lock (_asked)
                {
                    _asked.Add($"{name} {type}");
                }

                byte[] reply = answer(question.Buffer, name, type);
                foreach (byte[] message in send?.Invoke(reply) ?? [reply])
                {
                    await _server.SendAsync(message, question.RemoteEndPoint);
                }
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    });

    private static string Name(byte[] question)
    {
        var labels = new List<string>();
        for (int at = 12; question[at] != 0; at += question[at] + 1)
        {
            labels.Add(System.Text.Encoding.ASCII.GetString(question, at + 1, question[at]));
        }

        return string.Join('.', labels);
    }

    private static byte[] Address(byte seconds) => [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, seconds, 0, 4, 10, 0, 0, 1];

    private static byte[] Address6(byte seconds) => [0xC0, 12, 0, 28, 0, 1, 0, 0, 0, seconds, 0, 16, .. IPAddress.IPv6Loopback.GetAddressBytes()];

    private static byte[] Alias(byte seconds) => [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, seconds, 0, 2, 0xC0, 12];
}
