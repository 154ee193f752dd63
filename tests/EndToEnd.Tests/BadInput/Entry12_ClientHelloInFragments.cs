using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 12: a real TLS 1.3-only ClientHello, however it is cut, meets its own chain; what is not one meets no looser chain.</summary>
public sealed class Entry12_ClientHelloInFragments
{
    private const int RecordHeader = 5;

    [Fact]
    public async Task Hello_HoweverCut_MeetsTheChainOfItsName()
    {
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(Listener(out int port));
        int sockets = await proxy.SocketsAtRestAsync();
        byte[] strict = Hello("strict.example");
        (byte[] Bytes, int Piece, string Answer)[] cases =
        [
            (strict, int.MaxValue, "strict"),
            (strict, 1, "strict"),
            (Refragment(strict, 1), int.MaxValue, "strict"),
            (Refragment(strict, 50), 7, "strict"),
            (Hello("STRICT.Example"), int.MaxValue, "strict"),
            (Hello("other.example"), int.MaxValue, "loose"),
        ];
        foreach ((byte[] bytes, int piece, string answer) in cases)
        {
            using Client client = await Client.ConnectAsync(port);
            await client.SendAsync(bytes, piece);
            (await client.ReadTextToEndAsync()).ShouldBe(answer);
            (await proxy.RecordOfAsync(client.Address)).Flags.ShouldBe("-");
        }

        await proxy.ReturnsToAsync(sockets);
    }

    [Fact]
    public async Task Hello_ThatIsBroken_MeetsNoChain()
    {
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(Listener(out int port));
        int sockets = await proxy.SocketsAtRestAsync();
        byte[] hello = Hello("strict.example");
        byte[] lying = [.. hello];
        lying[6] = 0xff;
        foreach (byte[] bytes in new[] { hello[..40], hello[..^1], [.. hello[..60], .. RandomNumberGenerator.GetBytes(hello.Length - 60)], lying })
        {
            using Client client = await Client.ConnectAsync(port);
            await client.SendAsync(bytes);
            client.EndSending();
            (await client.ReadTextToEndAsync()).ShouldBeEmpty();
            AccessRecord record = await proxy.RecordOfAsync(client.Address);
            (record.Flags, record.By).ShouldBe(("DPE", "proxy"));
            record.Details.ShouldStartWith("tls_");
        }

        await proxy.ReturnsToAsync(sockets);
    }

    private static Bootstrap Listener(out int port)
    {
        var bootstrap = new Bootstrap();
        port = bootstrap.ListenerWithChains(
            "tls",
            $"listener_filters: [{Bootstrap.TlsInspector}], filter_chains: ["
            + $"{{name: strict, filter_chain_match: {{server_names: [strict.example]}}, filters: [{Bootstrap.DirectResponse("strict")}]}}, "
            + $"{{name: loose, filters: [{Bootstrap.DirectResponse("loose")}]}}]");
        return bootstrap;
    }

    /// <summary>The same handshake message in records of <paramref name="size"/> bytes.</summary>
    private static byte[] Refragment(byte[] hello, int size) =>
        [.. hello.Skip(RecordHeader).Chunk(size).SelectMany(part => (byte[])[.. hello.AsSpan(0, 3), (byte)(part.Length >> 8), (byte)part.Length, .. part])];

    /// <summary>What a TLS 1.3-only client of the platform's own library sends first.</summary>
    private static byte[] Hello(string name)
    {
        var sent = new FirstFlight();
        using var client = new SslStream(sent);
        var options = new SslClientAuthenticationOptions { TargetHost = name, EnabledSslProtocols = SslProtocols.Tls13 };
        Should.Throw<IOException>(() => client.AuthenticateAsClient(options));
        return sent.ToArray();
    }

    /// <summary>Takes what is written and ends when something is to be read.</summary>
    private sealed class FirstFlight : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => 0;

        public override int Read(Span<byte> buffer) => 0;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(0);
    }
}
