using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using static MeshL4.L4Proxy.Tests.Resolving.NameIndexTests;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>The DNS proxy on one loop with a port that is free for UDP and TCP, and a client with sockets of its own.</summary>
internal sealed class DnsFixture : IDisposable
{
    private readonly LoopFixture _loop = new();
    private readonly DnsProxy _proxy;

    public DnsFixture(DnsProxyConfig config, bool settled = true, bool table = true)
    {
        DnsProxyConfig own = config with
        {
            Addresses = [new IPEndPoint(IPAddress.Loopback, FreePorts.Next())], IsExplicit = true, Domain = "svc.cluster.local", Namespace = "ns", ResolvConf = "/nowhere",
            // Whoever does not ask for less must not fail for a slow machine.
            QueryTimeout = config.QueryTimeout == new DnsProxyConfig().QueryTimeout ? Patience.Limit : config.QueryTimeout,
        };
        Settled = settled;
        _proxy = DnsProxy.Open(own, [new LoopWorker(_loop.Loop)], new LoopGuard(), () => Settled, NullLogger.Instance)!;
        Address = _proxy.Addresses[0];
        if (table)
        {
            Apply(Host("web.ns.svc.cluster.local", "web.ns", "10.1.0.1", "10.1.0.2", "10.1.0.3"), Host("six.example", "", "fd00::6"));
        }

        _proxy.Start();
    }

    public bool Settled { get; set; }

    public IPEndPoint Address { get; }

    public DnsCounters Counters => _proxy.Shared.Counters;

    public void Apply(params NameEntry[] hosts) => _proxy.Shared.Apply(new NameTableSnapshot([.. hosts.OrderBy(host => host.Host, StringComparer.Ordinal)]));

    /// <summary>Sends over UDP and waits for one answer.</summary>
    public async Task<byte[]> AskAsync(byte[] message)
    {
        using UdpClient client = new(AddressFamily.InterNetwork);
        await client.SendAsync(message, Address);
        return (await client.ReceiveAsync().WaitAsync(Patience.Limit)).Buffer;
    }

    /// <summary>The same over TCP, on a connection of its own.</summary>
    public async Task<byte[]> AskOverTcpAsync(byte[] message)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Address);
        await client.GetStream().WriteAsync(Framed(message));
        return await ReadAsync(client.GetStream());
    }

    public static byte[] Framed(byte[] message) => [.. Messages.Number(message.Length), .. message];

    public static async Task<byte[]> ReadAsync(Stream stream)
    {
        byte[] prefix = new byte[2];
        await stream.ReadExactlyAsync(prefix).AsTask().WaitAsync(Patience.Limit);
        byte[] message = new byte[(prefix[0] << 8) | prefix[1]];
        await stream.ReadExactlyAsync(message).AsTask().WaitAsync(Patience.Limit);
        return message;
    }

    /// <summary>Buffers that somebody holds: none when nothing is in flight.</summary>
    public Task<long> HeldAsync() => _loop.HeldAsync();

    /// <summary>Waits until nothing waits and nothing is held.</summary>
    public Task AtRestAsync() => Patience.UntilAsync(
        async () => await HeldAsync() == 0 && Volatile.Read(ref Counters.Pending) == 0, "everything is given back", () => $"pending {Counters.Pending}");

    public void Dispose()
    {
        _proxy.Dispose();
        _loop.Dispose();
    }
}
