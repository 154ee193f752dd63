using MeshL4.TestKit;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>
/// A proxy with every kind of listener in front of the cluster <c>bad</c>, and a good connection beside them: whatever
/// happens to the others, all on its loop, the witness goes on and nothing is left behind.
/// </summary>
internal sealed class Bench : IAsyncDisposable
{
    private readonly Peer _echo;
    private readonly Dictionary<string, int> _ports;
    private readonly int _sockets;
    private readonly Client _witness;

    private Bench(ProxyProcess proxy, Peer echo, Dictionary<string, int> ports, int sockets, Client witness) =>
        (Proxy, _echo, _ports, _sockets, _witness) = (proxy, echo, ports, sockets, witness);

    public ProxyProcess Proxy { get; }

    public int Port(string kind) => _ports[kind];

    /// <param name="addBad">Adds the cluster <c>bad</c>.</param>
    /// <param name="prefix">Runs the proxy, see <see cref="ProxyProcess.StartAsync"/>.</param>
    public static async Task<Bench> StartAsync(Action<Bootstrap> addBad, params string[] prefix)
    {
        Peer echo = Peer.Echo();
        var bootstrap = new Bootstrap { Concurrency = 1 };
        addBad(bootstrap);
        bootstrap.Cluster("echo", echo.Address);
        bootstrap.Engine("bad");
        string filters = $", listener_filters: [{Bootstrap.TlsInspector}, {Bootstrap.HttpInspector}], listener_filters_timeout: 60s";
        Dictionary<string, int> ports = new()
        {
            ["good"] = bootstrap.Listener("good", Bootstrap.TcpProxy("echo")),
            ["tcp"] = bootstrap.Listener("tcp", Bootstrap.TcpProxy("bad")),
            ["redis"] = bootstrap.Listener("redis", Bootstrap.RedisProxy("bad", "60s")),
            ["http"] = bootstrap.Listener("http", Bootstrap.HttpManager(), filters),
            ["sniff"] = bootstrap.Listener("sniff", Bootstrap.TcpProxy("bad"), filters),
            ["proxy"] = bootstrap.Listener("proxy", Bootstrap.TcpProxy("bad"), $", listener_filters: [{Bootstrap.ProxyProtocol}], listener_filters_timeout: 60s"),
        };
        ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap, prefix);
        int sockets = await proxy.SocketsAtRestAsync();
        return new Bench(proxy, echo, ports, sockets, await Client.ConnectAsync(ports["good"]));
    }

    /// <summary>The good connection still echoes.</summary>
    public async Task WitnessAsync() => (await _witness.EchoAsync("witness")).ShouldBe("witness");

    /// <summary>The client's one record says this, the witness goes on, and everything is given back.</summary>
    public async Task ExpectAsync(Client client, string flags, string by, string details)
    {
        AccessRecord record = await Proxy.RecordOfAsync(client.Address);
        (record.Flags, record.By, record.Details).ShouldBe((flags, by, details));
        await FinishAsync();
    }

    public async Task FinishAsync()
    {
        await WitnessAsync();
        _witness.Dispose();

        // Connections that clients share stay open for the next one.
        await Proxy.ReturnsToAsync(_sockets + (int)await Proxy.StatAsync("cluster.bad.upstream_cx_active"));
        (await Proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
    }

    public async ValueTask DisposeAsync()
    {
        _witness.Dispose();
        await Proxy.DisposeAsync();
        _echo.Dispose();
    }
}
