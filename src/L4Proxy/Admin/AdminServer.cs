using System.Net;
using MeshL4.L4Proxy.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace MeshL4.L4Proxy.Admin;

/// <summary>
/// The admin API and its two public ports on one bare Kestrel: no host, no container, no routing, which keeps start-up and
/// memory small. It shares nothing with the loops but immutable snapshots and atomic counters.
/// </summary>
internal sealed class AdminServer : IAsyncDisposable
{
    private readonly KestrelServer _kestrel;
    private readonly ListenOptions? _admin;
    private readonly ListenOptions? _readiness;
    private readonly ListenOptions? _prometheus;

    private AdminServer(AdminContext context)
    {
        KestrelServerOptions options = new() { AddServerHeader = false, ApplicationServices = new NoServices() };
        options.Limits.MaxConcurrentConnections = DescriptorReserve.AdminConnections;
        options.Limits.MaxRequestBodySize = 64 << 10;
        options.Limits.MaxRequestHeadersTotalSize = 16 << 10;
        _admin = Listen(options, context.Bootstrap.Admin, AdminPages.Full);
        _readiness = Listen(options, context.Bootstrap.Readiness, AdminPages.Readiness);
        _prometheus = Listen(options, context.Bootstrap.Prometheus, AdminPages.Prometheus);
        SocketTransportFactory sockets = new(Options.Create(new SocketTransportOptions { IOQueueCount = 1 }), NullLoggerFactory.Instance);
        _kestrel = new KestrelServer(Options.Create(options), sockets, NullLoggerFactory.Instance);
    }

    /// <summary>Where the admin API really listens; null when it is off.</summary>
    public IPEndPoint? Admin => _admin?.IPEndPoint;

    /// <summary>Where <c>/healthz/ready</c> really listens; null when it is off.</summary>
    public IPEndPoint? Readiness => _readiness?.IPEndPoint;

    /// <summary>Where <c>/stats/prometheus</c> really listens; null when it is off.</summary>
    public IPEndPoint? Prometheus => _prometheus?.IPEndPoint;

    /// <summary>Binds every configured port and serves. Throws <see cref="IOException"/> naming the addresses when one cannot be bound.</summary>
    public static async Task<AdminServer> StartAsync(AdminContext context, ILogger logger)
    {
        AdminServer server = new(context);
        if (server.Admin is null && server.Readiness is null && server.Prometheus is null)
        {
            return server; // Kestrel without endpoints would open its default port
        }

        try
        {
            await server._kestrel.StartAsync(new AdminApplication(context, logger), CancellationToken.None);
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            await server.DisposeAsync();
            throw new IOException($"cannot open the admin ports ({server.Describe()}): {error.Message}", error);
        }

        logger.LogInformation("admin ports open: {Ports}", server.Describe());
        return server;
    }

    /// <summary>Stops accepting, gives requests a second, closes.</summary>
    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(1));
        await _kestrel.StopAsync(limit.Token);
        _kestrel.Dispose();
    }

    private static ListenOptions? Listen(KestrelServerOptions options, IPEndPoint? address, Func<AdminPages> pages)
    {
        if (address is null)
        {
            return null;
        }

        ListenOptions? made = null;
        AdminPages served = pages();
        void Configure(ListenOptions listen)
        {
            made = listen;
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => connection =>
            {
                connection.Features.Set(served);
                return next(connection);
            });
        }

        if (address.Address.Equals(IPAddress.IPv6Any))
        {
            options.ListenAnyIP(address.Port, Configure); // falls back to IPv4 where there is no IPv6
        }
        else
        {
            options.Listen(address, Configure);
        }

        return made;
    }

    private string Describe() => string.Join(
        ", ",
        new[] { ("admin", Admin), ("readiness", Readiness), ("prometheus", Prometheus) }
            .Where(static port => port.Item2 is not null).Select(static port => $"{port.Item1} {port.Item2}"));

    /// <summary>Kestrel asks for optional services only.</summary>
    private sealed class NoServices : IServiceProvider
    {
        public object? GetService(Type serviceType) => null;
    }
}
