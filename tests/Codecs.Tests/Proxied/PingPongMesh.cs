using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A pingpong server, the sample's proxy before it, and clients: all real processes and sockets but for the server.</summary>
internal sealed class PingPongMesh : IAsyncDisposable
{
    private readonly List<IDisposable> _owned = [];
    private ProxyProcess? _proxy;
    private string _listeners = "";
    private string _log = "";
    private string _codec = "";
    private int _port;

    public PingPongServer Server { get; private set; } = null!;

    /// <summary>Server of the cluster <c>other</c>.</summary>
    public PingPongServer Other { get; private set; } = null!;

    public ProxyProcess Proxy => _proxy!;

    /// <summary>Where clients of the proxy connect.</summary>
    public int Port => _port;

    /// <summary>
    /// The server is cluster <c>main</c>, a second one <c>other</c>, both are <c>both</c> and <c>ring</c>, which hashes, and nobody is at
    /// <c>nobody</c>; <c>limited</c> is the first with two requests in flight at most, <c>small</c> the second with as many, <c>single</c> both
    /// with one, and <c>shut</c> the first with no connection at all; <c>half</c> is the first, and one that nobody is at.
    /// </summary>
    /// <param name="routes">Members of the list of routes.</param>
    /// <param name="more">Further members of the filter.</param>
    /// <param name="codec">Another one than the sample's is one of the tests' own, and the proxy their executable, with one loop that all clients share.</param>
    /// <param name="loops">Null for one with a codec of the tests, and two else.</param>
    /// <param name="drainSeconds">What connections have when the proxy is to end.</param>
    public static async Task<PingPongMesh> StartAsync(string routes = "{forward: {cluster: main}}", string more = "", string codec = "pingpong", int? loops = null,
        int drainSeconds = 2)
    {
        var mesh = new PingPongMesh { _codec = codec };
        try
        {
            bool isSample = codec == "pingpong";
            var bootstrap = new Bootstrap { Program = isSample ? Program() : Path.ChangeExtension(typeof(PingPongMesh).Assembly.Location, null), Concurrency = loops ?? (isSample ? 2 : 1), DrainSeconds = drainSeconds };
            mesh.Server = mesh.Own(new PingPongServer(IPAddress.Loopback, name: "main"));
            bootstrap.Cluster("main", mesh.Server.EndPoint);
            mesh.Other = mesh.Own(new PingPongServer(IPAddress.Loopback, name: "other"));
            bootstrap.Cluster("other", mesh.Other.EndPoint);
            bootstrap.Cluster("both", [mesh.Server.EndPoint, mesh.Other.EndPoint]);
            bootstrap.RawCluster(
                "{name: ring, type: STATIC, lb_policy: RING_HASH, connect_timeout: 10s, load_assignment: {cluster_name: ring, endpoints: [{lb_endpoints: ["
                + $"{{endpoint: {{address: {Socket(mesh.Server)}}}}}, {{endpoint: {{address: {Socket(mesh.Other)}}}}}]}}]}}}}");
            bootstrap.Cluster("limited", [mesh.Server.EndPoint], "max_requests: 2");
            bootstrap.Cluster("small", [mesh.Other.EndPoint], "max_requests: 2");
            bootstrap.Cluster("single", [mesh.Server.EndPoint, mesh.Other.EndPoint], "max_requests: 1");
            bootstrap.Cluster("shut", [mesh.Server.EndPoint], "max_connections: 0, max_requests: 2");
            var nobody = new IPEndPoint(IPAddress.Loopback, Bootstrap.FreePort());
            bootstrap.Cluster("nobody", nobody);
            bootstrap.Cluster("half", [mesh.Server.EndPoint, nobody]);
            mesh._port = Bootstrap.FreePort();
            mesh.Listen(bootstrap, routes, more);
            mesh._proxy = await ProxyProcess.StartAsync(bootstrap);
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    /// <summary>Other routes, and other policies, for the listener that runs; when they are in use, requests tell.</summary>
    public void Change(string routes, string more = "")
    {
        string listener = $"{{'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: in, address: {{socket_address: {{address: 127.0.0.1, port_value: {_port}}}}}, "
            + $"filter_chains: [{{filters: [{Bootstrap.XRpcProxy(_codec, routes, more)}]}}], access_log: [{_log}]}}";
        File.WriteAllText(_listeners + ".new", $"resources: [{listener}]");
        File.Move(_listeners + ".new", _listeners, overwrite: true);
    }

    /// <summary>A client of the proxy.</summary>
    public PingPongConnection Connect() => Connect(_port);

    /// <summary>A client of the server itself.</summary>
    public PingPongConnection ConnectDirectly() => Connect(Server.EndPoint.Port);

    /// <summary>
    /// With one loop: what is done to the proxy while a call of this client is in flight costs it neither its answer nor the connection to
    /// the server that all of them share.
    /// </summary>
    /// <param name="witness">A client that was there before.</param>
    /// <param name="harm">The server answers nothing meanwhile; in the end the proxy is through with it.</param>
    public async Task BesideAsync(PingPongConnection witness, Func<Task> harm)
    {
        (await PingPongProxyTests.CallAsync(witness, 700, "echo", "before")).Payload.ShouldBe("before");
        int accepted = Server.Accepted;
        Server.IsFrozen = true;
        await witness.WriteAsync(PingPongProxyTests.Call(701, "echo", "meanwhile"));
        await Patience.UntilAsync(() => Server.Waiting == 1, "the server has the call", () => Proxy.Said);
        await harm();
        await Server.ThawAsync();
        (await PingPongProxyTests.Next(witness)).ShouldBe(new PingPongMessage(PingPongKind.Result, 701, "", "meanwhile"));
        (await PingPongProxyTests.CallAsync(witness, 702, "echo", "after")).Payload.ShouldBe("after");
        Server.Accepted.ShouldBe(accepted, "the shared connection ended");
    }

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(static owned => owned.Dispose());
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }
    }

    private static string Socket(PingPongServer server) => $"{{socket_address: {{address: 127.0.0.1, port_value: {server.EndPoint.Port}}}}}";

    private void Listen(Bootstrap bootstrap, string routes, string more)
    {
        (_listeners, _log) = (Path.Combine(bootstrap.Folder, "lds.yaml"), bootstrap.Log);
        Change(routes, more);
        bootstrap.Dynamic($"lds_config: {{path_config_source: {{path: '{_listeners}'}}}}");
    }

    /// <summary>The sample's own proxy.</summary>
    public static string Program()
    {
        string bin = Path.Combine(Executables.Root, "samples/PingPong.Proxy/bin");
        return new[] { "Release", "Debug" }.Select(configuration => Path.Combine(bin, configuration, "net10.0/pingpong-proxy"))
            .Where(File.Exists).MaxBy(File.GetLastWriteTimeUtc) ?? throw new FileNotFoundException($"no build of samples/PingPong.Proxy in {bin}");
    }

    private PingPongConnection Connect(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, port);
        return Own(new PingPongConnection(socket));
    }

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
