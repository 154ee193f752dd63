using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What an update of a listener does to the connections its chains have open.</summary>
public sealed class ChainUpdateTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Backend _backend = new("backend");
    private readonly int _port = Ports.Free();
    private readonly int _second = Ports.Free();

    public void Dispose()
    {
        _backend.Dispose();
        _folder.Dispose();
    }

    private string Chain(int port, string filters = "", string more = "") => Boot.Chain(filters + Boot.Tcp("c", more), $"destination_port: {port}", $"chain{port}");

    private static string Limit(int connections) =>
        $"{{name: limit, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit, stat_prefix: s, max_connections: {connections}}}}}, ";

    private static string Rbac(string action) =>
        $"{{name: rbac, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, stat_prefix: tcp., rules: {{action: {action}, policies: {{p: {{permissions: [{{any: true}}], principals: [{{any: true}}]}}}}}}}}}}, ";

    private void Write(string version, params string[] chains)
    {
        string more = $", additional_addresses: [{{address: {{socket_address: {{address: 127.0.0.1, port_value: {_second}}}}}}}]";
        _folder.Write("lds.yaml", Boot.Resources(version, Boot.Listener("l", "127.0.0.1", _port, string.Join(", ", chains), more)));
    }

    private Sidecar Start(int drainSeconds, int loops = 2) => Sidecar.Start(
        new Boot().Files(listeners: _folder.At("lds.yaml")).With(Boot.Cluster("c", [_backend.Address])), drainSeconds: drainSeconds, concurrency: loops);

    private static void Taken(Sidecar proxy, string version) => Wait.Until(
        () => proxy.Get("/config_dump").Contains($"\"version_info\": \"{version}\"", StringComparison.Ordinal) || proxy.Get("/config_dump").Contains($"\"version_info\":\"{version}\"", StringComparison.Ordinal),
        () => proxy.Get("/config_dump") + proxy.Log);

    [Fact]
    public void ChangedChain_IsDrained_UnchangedOneGoesOn()
    {
        Write("1", Chain(_port), Chain(_second));
        using Sidecar proxy = Start(drainSeconds: 1);
        using Call changed = Call.To(_port);
        using Call unchanged = Call.To(_second);
        changed.Ask("a").ShouldBe("backend a");
        unchanged.Ask("a").ShouldBe("backend a");
        Write("2", Chain(_port, more: ", idle_timeout: 77s"), Chain(_second));
        Taken(proxy, "2");
        changed.EndsInOrder().ShouldBeTrue("nothing was owed");
        proxy.Logged($"chain=chain{_port} ").ShouldContain("details=filter_chain_drained ");
        unchanged.Ask("b").ShouldBe("backend b");
        Call.Ask(_port, "c").ShouldBe("backend c");
    }

    [Fact]
    public void ChangedChain_WithinTheDrainTime_StillServes()
    {
        Write("1", Chain(_port));
        using Sidecar proxy = Start(drainSeconds: 3600);
        using Call open = Call.To(_port);
        open.Ask("a").ShouldBe("backend a");
        Write("2", Chain(_port, more: ", idle_timeout: 77s"));
        Taken(proxy, "2");
        open.Ask("b").ShouldBe("backend b");
    }

    [Fact]
    public void RemovedListener_IsDrained()
    {
        Write("1", Chain(_port));
        using Sidecar proxy = Start(drainSeconds: 1);
        using Call open = Call.To(_port);
        open.Ask("a").ShouldBe("backend a");
        _folder.Write("lds.yaml", Boot.Resources("2"));
        open.Ends().ShouldBeTrue();
    }

    [Fact]
    public void PolicyTurnsAgainstAConnection_ItIsCutAtOnce()
    {
        Write("1", Chain(_port, Rbac("ALLOW")), Chain(_second, Rbac("ALLOW")));
        using Sidecar proxy = Start(drainSeconds: 3600);
        using Call refused = Call.To(_port);
        using Call untouched = Call.To(_second);
        refused.Ask("a").ShouldBe("backend a");
        untouched.Ask("a").ShouldBe("backend a");
        Write("2", Chain(_port, Rbac("DENY")), Chain(_second, Rbac("ALLOW")));
        refused.Ends().ShouldBeTrue();
        proxy.Logged("details=rbac_policy_changed ").ShouldContain("flags=UAEX ");
        untouched.Ask("b").ShouldBe("backend b");
        Call.Ask(_port, "c").ShouldBeNull();
    }

    /// <summary>An open connection is judged by what the new chain would note of it, as a new one is, and not by what the old chain noted.</summary>
    [Theory]
    [InlineData("ALLOW", false)]
    [InlineData("DENY", true)]
    public void PolicyByFilterState_AsksWhatTheNewChainNotes(string action, bool cut)
    {
        Write("1", Chain(_port, Role("old") + RbacByRole("ALLOW", "old")), Chain(_second, Rbac("ALLOW")));
        using Sidecar proxy = Start(drainSeconds: 3600, loops: 1);
        using Call open = Call.To(_port);
        using Call witness = Call.To(_second);
        open.Ask("a").ShouldBe("backend a");
        witness.Ask("a").ShouldBe("backend a");
        Write("2", Chain(_port, Role("new") + RbacByRole(action, "new")), Chain(_second, Rbac("DENY")));
        witness.Ends().ShouldBeTrue("all connections of a loop are judged in one go: when this one is cut, the other was judged");
        Call.Ask(_port, "b").ShouldBe(cut ? null : "backend b");
        if (cut)
        {
            open.Ends().ShouldBeTrue("the policy refuses who comes now");
        }
        else
        {
            open.Ask("c").ShouldBe("backend c");
        }
    }

    private static string Role(string role) =>
        $"{{name: note, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config, on_new_connection: [{{object_key: role, format_string: {{text_format_source: {{inline_string: {role}}}}}}}]}}}}, ";

    private static string RbacByRole(string action, string role) =>
        $"{{name: rbac, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, stat_prefix: tcp., rules: {{action: {action}, policies: {{p: {{permissions: [{{any: true}}], principals: [{{filter_state: {{key: role, string_match: {{exact: {role}}}}}}}]}}}}}}}}}}, ";

    [Fact]
    public void UnchangedChain_KeepsCountingItsConnections()
    {
        Write("1", Chain(_port, Limit(1)), Chain(_second));
        using Sidecar proxy = Start(drainSeconds: 3600);
        using Call open = Call.To(_port);
        open.Ask("a").ShouldBe("backend a");
        Write("2", Chain(_port, Limit(1)), Chain(_second, more: ", idle_timeout: 77s"));
        Taken(proxy, "2");
        Call.Ask(_port, "b").ShouldBeNull("the update forgot the connection that is open");
    }
}
