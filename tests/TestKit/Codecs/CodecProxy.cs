using System.Net;

namespace MeshL4.TestKit.Codecs;

/// <summary>A proxy program with a codec's requests on one listener and one server behind it. A process of its own, ended with this.</summary>
public sealed class CodecProxy : IAsyncDisposable
{
    private readonly ProxyProcess _process;

    private CodecProxy(ProxyProcess process, int port) => (_process, Address) = (process, new IPEndPoint(IPAddress.Loopback, port));

    /// <summary>Where clients connect.</summary>
    public IPEndPoint Address { get; }

    /// <summary>What the program wrote, for messages of failure.</summary>
    public string Said => _process.Said;

    /// <summary>Starts the program and waits until it takes connections.</summary>
    /// <param name="program">Its path: what an author makes of <c>ProxyProgram</c>, or <c>meshl4-proxy</c> for a codec of the build.</param>
    /// <param name="codec">The name in the codec's traits.</param>
    /// <param name="server">Who answers.</param>
    /// <param name="more">Further members of the message <c>meshl4.xrpc.v1.XRpcProxy</c>, each behind a comma: <c>, policies: {timeout: 2s}</c>.</param>
    /// <exception cref="InvalidOperationException">The program ended; the message has what it wrote.</exception>
    public static async Task<CodecProxy> StartAsync(string program, string codec, IPEndPoint server, string more = "")
    {
        var bootstrap = new Bootstrap { Program = program };
        bootstrap.Cluster("server", server);
        int port = bootstrap.Listener("in", Bootstrap.XRpcProxy(codec, "{forward: {cluster: server}}", more));
        return new CodecProxy(await ProxyProcess.StartAsync(bootstrap), port);
    }

    /// <summary>A figure of its page <c>/stats</c>; 0 when it is not there.</summary>
    public Task<long> FigureAsync(string name) => _process.StatAsync(name);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
