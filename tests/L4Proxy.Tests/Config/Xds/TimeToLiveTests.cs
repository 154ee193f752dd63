using Google.Protobuf;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A resource with a time to live goes when that is over, and not otherwise.</summary>
public sealed class TimeToLiveTests : IDisposable
{
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(10);
    private readonly ManualTime _time = new();
    private readonly ConfigLedger _ledger = new(TimeProvider.System);
    private readonly DnsResolution _names = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });
    private readonly Subscription _subscription = new(TypeUrls.Cluster);
    private readonly UpdateReceiver _receiver;
    private readonly Gate _gate;
    private Action _whileTaken = static () => { };

    public TimeToLiveTests()
    {
        var builder = new SnapshotBuilder(new ClusterStateRegistry(), _names);
        _gate = new Gate(new ResourceSink(builder, _ledger, new SnapshotStore(), () => _whileTaken(), static (_, _) => { }));
        _receiver = new UpdateReceiver("ads", _gate, static (_, _) => { }, _time);
        _subscription.WantAll();
    }

    public void Dispose()
    {
        _receiver.Dispose();
        _names.Dispose();
    }

    [Fact]
    public void Time_ThatIsOver_RemovesTheResourceAndItsVersion()
    {
        Receive("1");
        _time.Advance(Life);
        _ledger.Running.ShouldBeEmpty();
        _subscription.Expired.ShouldBe(["a"]);
    }

    [Fact]
    public void Heartbeat_Prolongs()
    {
        Receive("1");
        _time.Advance(Life / 2);
        _receiver.Receive(Update(new DiscoveredResource("a", "", Life, null)), _subscription);
        _time.Advance(Life / 2);
        _ledger.Running.ShouldHaveSingleItem();
        _time.Advance(Life / 2);
        _ledger.Running.ShouldBeEmpty();
    }

    [Fact]
    public async Task Time_ThatEndsWhileAFreshVersionIsTaken_LeavesTheFreshOne()
    {
        Receive("1");
        Task expiry = Task.CompletedTask;
        _whileTaken = () =>
        {
            _whileTaken = static () => { };
            _gate.Watch();
            expiry = Task.Run(() => _time.Advance(Life));
            _gate.Passed.Wait(Patience.Limit).ShouldBeTrue("the timer of the version before is on its way");
        };
        Receive("2");
        await expiry.WaitAsync(Patience.Limit);
        _ledger.Running.ShouldHaveSingleItem().Version.ShouldBe("2");
        _subscription.Expired.ShouldBeEmpty();
        _time.Advance(Life);
        _ledger.Running.ShouldBeEmpty("the fresh one has a time of its own");
    }

    [Fact]
    public void ResourceNobodyWantsAnyMore_WhenItsTurnComes_IsLeftOut()
    {
        _subscription.Want(new HashSet<string> { "a" });
        _gate.BeforeWork = () => _subscription.Want(new HashSet<string>());
        var body = new Any { TypeUrl = TypeUrls.Cluster, Value = new Cluster { Name = "a" }.ToByteString() };
        Received received = _receiver.Receive(Update(new DiscoveredResource("a", "1", null, body)), _subscription);
        (received.Reasons, received.Held.Count).ShouldBe((null, 0));
        _ledger.Running.ShouldBeEmpty("nothing would let it go");
    }

    [Fact]
    public void EndpointsThatWereLetGo_HaveNoTimeLeft_WhenTheyAreWantedAgain()
    {
        Subscription endpoints = Endpoints("a");
        endpoints.Want(new HashSet<string>());
        endpoints.Release("a");
        _gate.Deliver(new ResourceUpdate(TypeUrls.Endpoints, "", "ads", [], new IssueCollector()) { Complete = false, Removed = ["a"] });
        endpoints.Want(new HashSet<string> { "a" });
        _time.Advance(Life);
        _ledger.Running.ShouldBeEmpty("an assignment without endpoints would pass for an answer");
        _time.Pending.ShouldBe(0);
    }

    [Fact]
    public void EndpointsNobodyWants_LeaveNothingBehind_WhenTheirTimeIsOver()
    {
        Subscription endpoints = Endpoints("a");
        endpoints.Want(new HashSet<string>());
        _gate.Deliver(new ResourceUpdate(TypeUrls.Endpoints, "", "ads", [], new IssueCollector()) { Complete = false, Removed = ["a"] });
        _time.Advance(Life);
        _ledger.Running.ShouldBeEmpty();
    }

    [Fact]
    public void Heartbeat_OfANameNobodyWants_IsLeftOut()
    {
        Subscription endpoints = Endpoints("a");
        _receiver.Receive(Update(new DiscoveredResource("b", "", Life / 2, null)) with { TypeUrl = TypeUrls.Endpoints }, endpoints);
        _time.Pending.ShouldBe(1, "that of the other");
        _time.Advance(Life / 2);
        _ledger.Running.Select(static one => one.Name).ShouldBe(["a"]);
    }

    [Fact]
    public void EndpointsWhoseTimeIsOver_LeaveAnAssignmentWithoutAny()
    {
        Endpoints("a").Expired.ShouldBeEmpty();
        _time.Advance(Life);
        _ledger.Running.ShouldHaveSingleItem().Version.ShouldBeEmpty();
    }

    private Subscription Endpoints(string name)
    {
        var subscription = new Subscription(TypeUrls.Endpoints);
        subscription.Want(new HashSet<string> { name });
        var body = new Any { TypeUrl = TypeUrls.Endpoints, Value = new ClusterLoadAssignment { ClusterName = name }.ToByteString() };
        _receiver.Receive(Update(new DiscoveredResource(name, "1", Life, body)) with { TypeUrl = TypeUrls.Endpoints }, subscription).Held.ShouldBe([name]);
        return subscription;
    }

    private void Receive(string version)
    {
        var body = new Any { TypeUrl = TypeUrls.Cluster, Value = new Cluster { Name = "a", AltStatName = version }.ToByteString() };
        _receiver.Receive(Update(new DiscoveredResource("a", version, Life, body)), _subscription).Held.ShouldBe(["a"]);
    }

    private static DiscoveryUpdate Update(DiscoveredResource resource)
        => new() { TypeUrl = TypeUrls.Cluster, Nonce = "n", Version = "", Resources = [resource] };

    /// <summary>Tells when somebody comes to the sink.</summary>
    private sealed class Gate(ResourceSink sink) : IResourceSink
    {
        private volatile bool _watched;

        public ManualResetEventSlim Passed { get; } = new();

        /// <summary>Done by who has the sink for itself before the next does.</summary>
        public Action BeforeWork { get; set; } = static () => { };

        public void Watch() => _watched = true;

        public UpdateVerdict Deliver(ResourceUpdate update)
        {
            Pass();
            return sink.Deliver(update);
        }

        public void Exclusively(Action work)
        {
            Pass();
            sink.Exclusively(BeforeWork);
            sink.Exclusively(work);
        }

        private void Pass()
        {
            if (_watched)
            {
                Passed.Set();
            }
        }
    }
}
