using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Whatever a control plane sends and does not run stands in /config_dump with its reason; what has no name has its address.</summary>
public sealed class RefusedResourcesTests : IDisposable
{
    private static readonly ByteString Broken = ByteString.CopyFrom(0x12, 0xff, 0xff, 0xff, 0x7f);
    private readonly ConfigLedger _ledger = new(TimeProvider.System);
    private readonly DnsResolution _names = new(static (_, _) => Task.FromResult<System.Net.IPAddress[]>([]), static () => { }, static (_, _) => { });
    private readonly SnapshotStore _store = new();
    private readonly ResourceSink _sink;

    public RefusedResourcesTests()
        => _sink = new ResourceSink(new SnapshotBuilder(new ClusterStateRegistry(), _names), _ledger, _store, static () => { }, static (_, _) => { });

    public void Dispose() => _names.Dispose();

    [Fact]
    public void ResourcesThatCannotBeRead_StandInTheDump_UntilTheyAreMendedOrGone()
    {
        var other = new Any { TypeUrl = "type.googleapis.com/other.Type" };
        Deliver(("good", Packed("good", 1)), ("broken", new Any { TypeUrl = TypeUrls.Listener, Value = Broken }), ("foreign", other), ("", other)).Accepted.ShouldBeFalse();
        JsonNode[] listeners = Dump();
        Names(listeners).ShouldBe(["broken", "foreign", "good", "resources[3]"]);
        Details(listeners, "broken").ShouldContain("Listener/broken: ");
        Details(listeners, "foreign").ShouldContain("is a 'type.googleapis.com/other.Type' where a");
        Details(listeners, "resources[3]").ShouldContain("is a 'type.googleapis.com/other.Type' where a");

        Deliver(("good", Packed("good", 1)), ("broken", Packed("broken", 2))).Accepted.ShouldBeTrue();
        Dump().ShouldAllBe(static listener => listener["error_state"] == null);
        Names(Dump()).ShouldBe(["broken", "good"]);
    }

    [Fact]
    public void BrokenUpdateOfARunningResource_StandsBesideIt()
    {
        Deliver(("l", Packed("l", 1))).Accepted.ShouldBeTrue();
        UpdateVerdict verdict = Deliver(("l", new Any { TypeUrl = TypeUrls.Listener, Value = Broken }));
        verdict.Held.ShouldBeEmpty();
        JsonNode listener = Dump().ShouldHaveSingleItem();
        listener["active_state"].ShouldNotBeNull();
        listener["error_state"]!["failed_configuration"].ShouldBeNull("there is nothing to show");
    }

    [Fact]
    public void ListenersWithoutANames_AreKnownByTheirAddresses_FromUpdateToUpdate()
    {
        Deliver(("", Packed("", 1)), ("", Packed("", 2))).Held.ShouldBe(["127.0.0.1:1", "127.0.0.1:2"], ignoreOrder: true);
        Names(Dump()).ShouldBe(["127.0.0.1:1", "127.0.0.1:2"]);
        ListenerSnapshot first = _store.Current.Listeners.Single(static one => one.Name == "127.0.0.1:1");
        Deliver(("", Packed("", 1))).Accepted.ShouldBeTrue();
        Names(Dump()).ShouldBe(["127.0.0.1:1"]);
        _store.Current.Listeners.ShouldHaveSingleItem().FilterChains[0].ShouldBeSameAs(first.FilterChains[0]);
        Deliver(("", Packed("", 3)), ("", Packed("", 3))).Issues.ShouldContain(static issue => issue.ToString().Contains("Listener/127.0.0.1:3: the name '127.0.0.1:3' stands twice", StringComparison.Ordinal));
    }

    /// <summary>The first response too, though it is the whole world.</summary>
    [Fact]
    public void ListenerWithoutAName_InADeltaResponse_IsRefused_SinceNothingCouldRemoveIt()
    {
        var delta = new DeltaVariant();
        var subscription = new Subscription(TypeUrls.Listener);
        subscription.WantAll();
        using var receiver = new UpdateReceiver("ads", _sink, static (_, _) => { });
        var response = new DeltaDiscoveryResponse { TypeUrl = TypeUrls.Listener, Nonce = "1", Resources = { new Resource { Resource_ = Packed("", 1) } } };
        for (int i = 0; i < 2; i++)
        {
            DiscoveryUpdate update = delta.Read(response.ToByteArray(), _ => subscription);
            update.Complete.ShouldBe(i == 0);
            Received received = receiver.Receive(update, subscription);
            received.Reasons.ShouldNotBeNull().ShouldContain("Listener/127.0.0.1:1: name: a name is required: an update of single resources");
            _store.Current.Listeners.ShouldBeEmpty();
            delta.Note(subscription, update, received.Reasons is null, received.Held);
        }
    }

    private UpdateVerdict Deliver(params (string Name, Any Body)[] resources)
    {
        var update = new DiscoveryUpdate
        {
            TypeUrl = TypeUrls.Listener, Nonce = "", Version = "1",
            Resources = [.. resources.Select(static one => new DiscoveredResource(one.Name, "", null, one.Body))],
        };
        return _sink.Deliver(new ResourceUpdate(TypeUrls.Listener, "1", "ads", ResourceReader.Offer(update, "ads"), new IssueCollector()));
    }

    private static Any Packed(string name, uint port)
    {
        var address = new Address { SocketAddress = new SocketAddress { Address = "127.0.0.1", PortValue = port } };
        return Any.Pack(new Listener { Name = name, Address = address, FilterChains = { new FilterChain() } });
    }

    private JsonNode[] Dump()
    {
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text))
        {
            _ledger.WriteDump(writer, "dynamic_listeners", null);
        }

        return [.. JsonNode.Parse(text.ToArray())!["configs"]![0]!["dynamic_listeners"]!.AsArray().Select(static one => one!)];
    }

    private static string[] Names(JsonNode[] listeners) => [.. listeners.Select(static one => (string)one["name"]!).Order(StringComparer.Ordinal)];

    private static string Details(JsonNode[] listeners, string name) => (string)listeners.Single(one => (string)one["name"]! == name)["error_state"]!["details"]!;
}
