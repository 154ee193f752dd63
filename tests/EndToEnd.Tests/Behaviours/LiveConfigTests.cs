using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Files of resources change while the proxy runs: new connections move, open ones go on.</summary>
public sealed class LiveConfigTests : IDisposable
{
    private const string Eds = ", eds_cluster_config: {eds_config: {path_config_source: {path: '@'}}}";

    private readonly TempFolder _folder = new();
    private readonly Backend _blue = new("blue");
    private readonly Backend _green = new("green");
    private readonly int _port = Ports.Free();

    public void Dispose()
    {
        _blue.Dispose();
        _green.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void EdsFile_Renamed_MovesNewConnectionsOnly()
    {
        Endpoints("1", _blue);
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(EdsCluster(_folder.At("eds.yaml"))));
        using Call open = Call.To(_port);
        open.Ask("one").ShouldBe("blue one");
        Endpoints("2", _green);
        Eventually("green");
        open.Ask("two").ShouldBe("blue two");
    }

    [Fact]
    public void CdsFile_SymlinkSwap_MovesNewConnectionsOnly()
    {
        Mount("a", Boot.Resources("1", Boot.Cluster("c", [_blue.Address])));
        Directory.CreateSymbolicLink(_folder.At("cds.yaml"), "..data/cds.yaml");
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).Files(clusters: _folder.At("cds.yaml")));
        using Call open = Call.To(_port);
        open.Ask("one").ShouldBe("blue one");
        Mount("b", Boot.Resources("2", Boot.Cluster("c", [_green.Address])));
        Eventually("green");
        open.Ask("two").ShouldBe("blue two");
    }

    [Fact]
    public void LdsFile_AddressTaken_ShowsAsErrorStateUntilItIsFree()
    {
        int taken = Ports.Free();
        string listeners = _folder.Write("lds.yaml", Boot.Resources("1", Boot.Listener("late", "127.0.0.1", taken, Boot.Chain(Boot.Tcp("c")))));
        Boot boot = new Boot().Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(Boot.Cluster("c", [_blue.Address])).Files(listeners: listeners);
        Sidecar proxy;
        using (Backend holder = new("holder", port: taken))
        {
            proxy = Sidecar.Start(boot);
            string dump = proxy.Get("/config_dump?resource=dynamic_listeners");
            dump.ShouldContain("\"error_state\"");
            dump.ShouldContain($"listener late: bind 127.0.0.1:{taken}: Address already in use");
            dump.ShouldNotContain("active_state");
            proxy.Stat("meshl4.listeners_not_open").ShouldBe(1);
            Call.Ask(_port, "x").ShouldBe("blue x");
        }

        using (proxy)
        {
            Wait.Until(() => Call.Ask(taken, "x") == "blue x", () => "never opened\n" + proxy.Log);

            // It takes connections a moment before the dump says so.
            string dump = "";
            Wait.Until(
                () => (dump = proxy.Get("/config_dump?resource=dynamic_listeners")).Contains("active_state", StringComparison.Ordinal)
                    && !dump.Contains("error_state", StringComparison.Ordinal),
                () => dump);
        }
    }

    [Fact]
    public void HalfWrittenAndVanishedFile_KeepTheRunningConfiguration()
    {
        Endpoints("1", _blue);
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(EdsCluster(_folder.At("eds.yaml"))));
        Call.Ask(_port, "x").ShouldBe("blue x");
        _folder.Write("eds.yaml", "resources: [ {'@type': type.goo");
        Wait.Until(() => proxy.Get("/config_dump?include_eds").Contains("error_state", StringComparison.Ordinal), () => proxy.Get("/config_dump?include_eds"));
        Call.Ask(_port, "x").ShouldBe("blue x");
        File.Delete(_folder.At("eds.yaml"));
        proxy.Tells("Could not find");
        Call.Ask(_port, "x").ShouldBe("blue x");
        Endpoints("3", _green);
        Eventually("green");
    }

    [Fact]
    public void LdsFile_ListenerAddedAndRemoved_PortFollowsAndOpenConnectionGoesOn()
    {
        int second = Ports.Free();
        string first = Boot.Listener("first", "127.0.0.1", _port, Boot.Chain(Boot.Tcp("c")));
        _folder.Write("lds.yaml", Boot.Resources("1", first));
        using Sidecar proxy = Sidecar.Start(new Boot().Files(listeners: _folder.At("lds.yaml")).With(Boot.Cluster("c", [_blue.Address])), drainSeconds: 3600);
        using Call open = Call.To(_port);
        open.Ask("one").ShouldBe("blue one");
        _folder.Write("lds.yaml", Boot.Resources("2", first, Boot.Listener("second", "127.0.0.1", second, Boot.Chain(Boot.Tcp("c")))));
        Wait.Until(() => Call.Ask(second, "x") == "blue x", () => proxy.Log);
        _folder.Write("lds.yaml", Boot.Resources("3", Boot.Listener("second", "127.0.0.1", second, Boot.Chain(Boot.Tcp("c")))));
        Wait.Until(() => Refused(_port), () => "still accepting\n" + proxy.Log);
        open.Ask("two").ShouldBe("blue two");
        Call.Ask(second, "x").ShouldBe("blue x");
    }

    private static bool Refused(int port)
    {
        try
        {
            using Call call = Call.To(port);
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
    }

    private static string EdsCluster(string file) =>
        $"{{'@type': x, name: c, type: EDS, connect_timeout: 20s{Eds.Replace("@", file, StringComparison.Ordinal)}}}";

    private void Endpoints(string version, Backend backend) =>
        _folder.Write("eds.yaml", Boot.Resources(version, "{'@type': type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment, " + Boot.Assignment("c", backend.Address)[1..]));

    private void Eventually(string who) => Wait.Until(() => Call.Ask(_port, "x") == who + " x", who + " was never reached");

    /// <summary>What the kubelet does with a ConfigMap: a new folder, and a link to it renamed over the old one.</summary>
    private void Mount(string version, string text)
    {
        Directory.CreateDirectory(_folder.At("..v" + version));
        File.WriteAllText(_folder.At($"..v{version}/cds.yaml"), text);
        Run.Must("ln", "-s", "..v" + version, _folder.At("..data_tmp"));
        Run.Must("mv", "-T", _folder.At("..data_tmp"), _folder.At("..data"));
    }
}
