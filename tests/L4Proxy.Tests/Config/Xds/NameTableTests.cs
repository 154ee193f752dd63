using Google.Protobuf;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Istio.Networking.Nds.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>The one table of names: taken whole, refused whole with every reason, kept when refused, gone when removed.</summary>
public sealed class NameTableTests : IDisposable
{
    private readonly SnapshotStore _store = new();
    private readonly DnsResolution _names = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });
    private readonly UpdateReceiver _receiver;
    private readonly Subscription _subscription = new(TypeUrls.NameTable);

    public NameTableTests()
    {
        var sink = new ResourceSink(
            new SnapshotBuilder(new ClusterStateRegistry(), _names), new ConfigLedger(TimeProvider.System), _store, static () => { }, static (_, _) => { });
        _receiver = new UpdateReceiver("ads", sink, static (_, _) => { });
        _subscription.WantAll();
    }

    public void Dispose()
    {
        _receiver.Dispose();
        _names.Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData("default")]
    public void Receive_TableWithAnyNameOrNone_RunsAndIsHeldUnderTheServersName(string name)
    {
        Received received = Receive(name, Table(("Web.NS.svc.cluster.local", ["10.0.0.1", "fd00::1", "10.0.0.1"])));
        received.Reasons.ShouldBeNull();
        received.Held.ShouldBe([name]);
        NameEntry entry = _store.Current.Names.ShouldNotBeNull().Entries.ShouldHaveSingleItem();
        entry.Host.ShouldBe("web.ns.svc.cluster.local");
        entry.V4.ShouldHaveSingleItem().ToString().ShouldBe("10.0.0.1");
        entry.V6.ShouldHaveSingleItem().ToString().ShouldBe("fd00::1");
    }

    /// <summary>What a Go server marshals: entry of table = 1 with key = 1 and value = 2; ips = 1, registry = 2, shortname = 3, namespace = 4.</summary>
    [Fact]
    public void Parse_BytesAsTheServerWritesThem_GivesEveryField()
    {
        byte[] info = [0x0A, 7, .. "1.2.3.4"u8, 0x12, 10, .. "Kubernetes"u8, 0x1A, 1, .. "a"u8, 0x22, 1, .. "n"u8];
        byte[] entry = [0x0A, 3, .. "a.b"u8, 0x12, (byte)info.Length, .. info];
        NameTable table = NameTable.Parser.ParseFrom([0x0A, (byte)entry.Length, .. entry]);
        NameTable.Types.NameInfo parsed = table.Table["a.b"];
        (parsed.Ips[0], parsed.Registry, parsed.Shortname, parsed.Namespace).ShouldBe(("1.2.3.4", "Kubernetes", "a", "n"));
    }

    [Fact]
    public void Receive_KubernetesHost_KnowsItsServiceName()
    {
        NameTable table = Table(("web.ns.svc.cluster.local", ["10.0.0.1"]));
        table.Table["web.ns.svc.cluster.local"].Registry = "Kubernetes";
        table.Table["web.ns.svc.cluster.local"].Shortname = "Web";
        table.Table["web.ns.svc.cluster.local"].Namespace = "ns";
        Receive("", table).Reasons.ShouldBeNull();
        _store.Current.Names!.Entries[0].ServiceName.ShouldBe("web.ns");
    }

    [Fact]
    public void Receive_WrongTable_NamesEveryReasonAndKeepsTheOneBefore()
    {
        Receive("", Table(("good.example", ["10.0.0.1"])));
        Received received = Receive("", Table(
            ("good.example", ["10.0.0.2"]), ("a..b", ["10.0.0.3"]), ("c.example", ["10.0.0", "1"]), ("d.*.example", ["10.0.0.4"]), ("d.example", ["fe80::1%3"])));
        received.Held.ShouldBeEmpty();
        received.Reasons.ShouldNotBeNull().Split('\n').Order(StringComparer.Ordinal).ShouldBe(
        [
            "NameTable/name_table: table[\"a..b\"]: 'a..b' is not a name that DNS can carry",
            "NameTable/name_table: table[\"c.example\"].ips[0]: '10.0.0' is not an IP address",
            "NameTable/name_table: table[\"c.example\"].ips[1]: '1' is not an IP address",
            "NameTable/name_table: table[\"d.*.example\"]: 'd.*.example' has a wildcard elsewhere than in front",
            "NameTable/name_table: table[\"d.example\"].ips[0]: 'fe80::1%3' is not an IP address",
        ]);
        _store.Current.Names!.Entries.ShouldHaveSingleItem().V4[0].ToString().ShouldBe("10.0.0.1");
    }

    [Fact]
    public void Receive_BytesThatAreNoTable_AreRefused()
    {
        Received received = Receive(new DiscoveredResource("", "", null, new Any { TypeUrl = TypeUrls.NameTable, Value = ByteString.CopyFrom(0x0A, 0xFF) }));
        received.Held.ShouldBeEmpty();
        received.Reasons.ShouldNotBeNull().ShouldStartWith("NameTable/name_table: ");
    }

    [Fact]
    public void Receive_TwoTables_AreRefused() =>
        Receive(Resource("a", Table(("x.example", ["10.0.0.1"]))), Resource("b", Table(("y.example", ["10.0.0.1"])))).Reasons
            .ShouldNotBeNull().ShouldContain("stands twice");

    [Fact]
    public void Receive_AbsenceKeeps_RemovalRemoves()
    {
        Receive("t", Table(("x.example", ["10.0.0.1"])));
        Receive();
        _store.Current.Names.ShouldNotBeNull();
        _receiver.Receive(Update() with { Removed = ["t"] }, _subscription).Reasons.ShouldBeNull();
        _store.Current.Names.ShouldBeNull();
    }

    private static NameTable Table(params (string Host, string[] Ips)[] hosts)
    {
        var table = new NameTable();
        foreach ((string host, string[] ips) in hosts)
        {
            table.Table[host] = new NameTable.Types.NameInfo { Ips = { ips }, Registry = "External" };
        }

        return table;
    }

    private static DiscoveredResource Resource(string name, NameTable table)
        => new(name, "1", null, new Any { TypeUrl = TypeUrls.NameTable, Value = table.ToByteString() });

    private static DiscoveryUpdate Update(params DiscoveredResource[] resources)
        => new() { TypeUrl = TypeUrls.NameTable, Nonce = "n", Version = "1", Resources = resources, Complete = true };

    private Received Receive(string name, NameTable table) => Receive(Resource(name, table));

    private Received Receive(params DiscoveredResource[] resources) => _receiver.Receive(Update(resources), _subscription);
}
