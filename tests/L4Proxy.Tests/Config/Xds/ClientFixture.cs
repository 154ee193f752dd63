using System.Collections.Concurrent;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Xds;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A client over scripted streams whose receiver does as told; waits between streams are noted, not waited.</summary>
internal sealed class ClientFixture : IUpdateReceiver, ILogger, IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public ClientFixture(IDiscoveryVariant variant, bool nodeOnce = false, TimeProvider? time = null, params string[] servers)
    {
        var options = new DiscoveryClientOptions
        {
            Name = "ads",
            Source = "ads",
            Method = DiscoveryMethods.Of(null, variant),
            Variant = variant,
            Servers = servers.Length == 0 ? [Plane.Server()] : [.. servers.Select(Plane.Server)],
            Subscriptions = [new Subscription(TypeUrls.Cluster), new Subscription(TypeUrls.Endpoints), new Subscription(TypeUrls.Listener), new Subscription(TypeUrls.Routes)],
            Node = new Node { Id = "n" },
            NodeOnFirstMessageOnly = nodeOnce,
            Metrics = new DiscoveryMetrics(),
            Random = () => 0.5,
            Silence = time is null ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(10),
            Time = time ?? TimeProvider.System,
            Delay = (wait, _) =>
            {
                Waits.Enqueue(wait);
                return Task.CompletedTask;
            },
        };
        Client = new DiscoveryClient(options, this, this);
        Client.Find(TypeUrls.Cluster)!.WantAll();
        _running = Task.Run(() => Client.RunAsync(_stop.Token));
    }

    public ScriptedPlane Plane { get; } = new();

    public DiscoveryClient Client { get; }

    /// <summary>Waits between streams so far.</summary>
    public ConcurrentQueue<TimeSpan> Waits { get; } = new();

    /// <summary>Updates so far.</summary>
    public ConcurrentQueue<DiscoveryUpdate> Updates { get; } = new();

    /// <summary>Lines logged so far, from warnings on.</summary>
    public ConcurrentQueue<string> Warnings { get; } = new();

    /// <summary>What the receiver says; by default everything is good.</summary>
    public Func<DiscoveryUpdate, Received> Verdict { get; set; } = update => new Received(null, [.. update.Resources.Select(one => one.Name)]);

    public void WantEndpoints(params string[] names)
    {
        Client.Find(TypeUrls.Endpoints)!.Want(names.ToHashSet());
        Client.Wake();
    }

    /// <summary>Endpoints nobody wanted for a moment that the stream did not see.</summary>
    public void LetGoAndWantEndpoints(string letGo, params string[] names)
    {
        Client.Find(TypeUrls.Endpoints)!.LetGo.Enqueue(letGo);
        WantEndpoints(names);
    }

    public Received Receive(DiscoveryUpdate update, Subscription subscription)
    {
        Updates.Enqueue(update);
        return Verdict(update);
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            Warnings.Enqueue(formatter(state, exception));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }
}
