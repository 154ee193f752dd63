using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// The DNS proxy of the pod: a socket of each kind, address and loop. Names of the table are answered here, the others by the servers
/// of the pod. Source of the behaviour: Istio's agent (pkg/dns/client), where not said otherwise in docs/dns.md.
/// </summary>
internal sealed class DnsProxy : IDisposable
{
    private readonly List<DnsDatagramListener> _datagrams = [];
    private readonly List<AcceptSocket> _streams = [];

    private DnsProxy(DnsShared shared) => Shared = shared;

    public DnsShared Shared { get; }

    /// <summary>The addresses bound for UDP, one a loop: the kernel may have chosen a port.</summary>
    public IReadOnlyList<IPEndPoint> Addresses => [.. _datagrams.Select(static socket => SocketTuning.LocalEndPoint(socket.Fd)!).Distinct()];

    /// <summary>
    /// Opens every address on every loop. Null when the port is another's and nobody but the node's metadata asked for it: an agent beside the
    /// proxy serves the pod then.
    /// </summary>
    /// <param name="config">Settings.</param>
    /// <param name="workers">The loops.</param>
    /// <param name="guard">Told of connections to servers.</param>
    /// <param name="settled">False while the first name table may still come.</param>
    /// <param name="log">Takes what is left out.</param>
    /// <exception cref="IOException">An address cannot be bound that was asked for.</exception>
    public static DnsProxy? Open(DnsProxyConfig config, IReadOnlyList<LoopWorker> workers, LoopGuard guard, Func<bool> settled, ILogger log)
    {
        ResolverFile file = ResolverFile.Read(config.ResolvConf, out string? problem);
        if (problem is not null)
        {
            log.LogWarning("{Path} cannot be read, names outside the mesh have no server from it: {Reason}", config.ResolvConf, problem);
        }

        ImmutableArray<IPEndPoint> servers = Others(config.Upstreams.IsEmpty ? file.Servers : config.Upstreams, config.Addresses, log);
        var proxy = new DnsProxy(new DnsShared(config, servers, new NameContext(config.Domain, config.Namespace, file.Search), workers.Count, settled));
        try
        {
            proxy.OpenAll(config, workers, guard, log);
        }
        catch (IOException taken) when (!config.IsExplicit)
        {
            proxy.Dispose();
            log.LogWarning("DNS_CAPTURE is set and the DNS proxy is off, an agent may serve in its place: {Reason}", taken.Message);
            return null;
        }
        catch
        {
            proxy.Dispose();
            throw;
        }

        log.LogInformation("DNS proxy at {Addresses}, other names from {Servers}", string.Join(", ", proxy.Addresses), string.Join(", ", servers));
        return proxy;
    }

    /// <summary>Begins to answer.</summary>
    public void Start()
    {
        _datagrams.ForEach(static socket => socket.Loop.Post(static s => ((DnsDatagramListener)s!).Start(), socket));
        _streams.ForEach(static socket => socket.Loop.Post(static s => ((AcceptSocket)s!).Start(), socket));
    }

    /// <summary>Closes the sockets, on their loops.</summary>
    public void Dispose()
    {
        _datagrams.ForEach(static socket => socket.Loop.Post(static s => ((DnsDatagramListener)s!).Close(), socket));
        _streams.ForEach(static socket => socket.Loop.Post(static s => ((AcceptSocket)s!).Close(), socket));
    }

    /// <summary>A server that is this proxy would be asked for ever.</summary>
    private static ImmutableArray<IPEndPoint> Others(ImmutableArray<IPEndPoint> servers, ImmutableArray<IPEndPoint> own, ILogger log)
    {
        var self = new LoopGuard();
        self.Listening(own.Select(static address => (ProtocolType.Udp, address)));
        ImmutableArray<IPEndPoint> others = [.. servers.Where(server => !self.IsOwnListener(ProtocolType.Udp, server)).Distinct()];
        if (others.Length < servers.Distinct().Count())
        {
            log.LogWarning("the DNS proxy does not ask itself: {Servers} left out", string.Join(", ", servers.Except(others)));
        }

        if (others.IsEmpty)
        {
            log.LogWarning("the DNS proxy knows no server: names outside the mesh are answered SERVFAIL");
        }

        return others;
    }

    private void OpenAll(DnsProxyConfig config, IReadOnlyList<LoopWorker> workers, LoopGuard guard, ILogger log)
    {
        DnsResolver[] resolvers = [.. workers.Select(worker => new DnsResolver(worker.Loop, Shared))];
        foreach (IPEndPoint address in config.Addresses)
        {
            try
            {
                OpenOne(config, address, resolvers, guard);
            }
            catch (IOException absent) when (config.HasDefaultAddresses && address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                // A pod without IPv6 asks over IPv4 alone.
                log.LogInformation("DNS proxy without IPv6: {Reason}", absent.Message);
            }
        }
    }

    private void OpenOne(DnsProxyConfig config, IPEndPoint wanted, DnsResolver[] resolvers, LoopGuard guard)
    {
        IPEndPoint address = wanted;
        foreach (DnsResolver resolver in resolvers)
        {
            var datagrams = DnsDatagramListener.Open(resolver, Listener(config, address, isUdp: true), address);
            _datagrams.Add(datagrams);
            address = SocketTuning.LocalEndPoint(datagrams.Fd) ?? address;
            _streams.Add(new DnsStreamListener(resolver, guard).Open(Listener(config, address, isUdp: false), address));
        }
    }

    private static ListenerSnapshot Listener(DnsProxyConfig config, IPEndPoint address, bool isUdp) => new()
    {
        Name = "dns", Address = address, IsUdp = isUdp, Transparent = config.Transparent, Backlog = Math.Max(1, config.MaxTcpConnections),
    };
}
