using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Xunit;
using Backend = MeshL4.EndToEnd.Tests.Behaviours.Stage.Backend;
using Peer = MeshL4.EndToEnd.Tests.Behaviours.Stage.Peer;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>Names of clusters are resolved again when their records have lived, and sooner than that while they fail; dnsmasq has the names.</summary>
public sealed class DnsRefreshTests : IDisposable
{
    private const string Other = "10.77.0.9";
    private readonly Pod _pod = new();
    private readonly ResolvConf _resolvConf;
    private readonly Backend _one;
    private readonly Backend _two;

    public DnsRefreshTests()
    {
        _resolvConf = new ResolvConf(_pod.Name, $"nameserver {Pod.OutsideIp}\nnameserver {Other}\nsearch mesh.example\noptions timeout:5 attempts:2\n");
        Pod.In(_pod.Outside, () => Run.Must("ip", "addr", "add", Other + "/24", "dev", "eth0"));
        _one = new Backend("one", _pod.Outside, 9001, address: Pod.OutsideIp);
        _two = new Backend("two", _pod.Outside, 9001, address: Other);
    }

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
        _resolvConf.Dispose();
        _pod.Dispose();
    }

    /// <summary>
    /// An hour is the rate: what comes sooner comes by the time to live, found under a search domain. The server is there all the time, and
    /// has the first address to the end: an answer that failed, or that two questions at the change disagree about, is good for the hour.
    /// </summary>
    [Fact]
    public void TimeToLive_OfTheRecords_IsRespected()
    {
        using var folder = new TempFolder();
        string hosts = folder.Write("hosts", $"{Pod.OutsideIp} svc.mesh.example\n");
        using Peer dns = Peer.Dns(_pod.Outside, "--addn-hosts=" + hosts, "--local-ttl=1");
        using Sidecar proxy = Start("respect_dns_ttl: true, dns_refresh_rate: 3600s");
        Says("one", proxy);
        folder.Write("hosts", $"{Pod.OutsideIp} svc.mesh.example\n{Other} svc.mesh.example\n");
        dns.Signal("HUP");
        Says("two", proxy);
    }

    [Fact]
    public void NameThatFails_IsAskedForAgainAtItsOwnRate()
    {
        using Sidecar proxy = Start("dns_refresh_rate: 3600s, dns_failure_refresh_rate: {base_interval: 0.2s, max_interval: 1s}");
        proxy.Tells("svc does not resolve");
        using Peer dns = Peer.Dns(_pod.Outside, $"--host-record=svc.mesh.example,{Pod.OutsideIp}");
        Says("one", proxy);
    }

    private void Says(string name, Sidecar proxy) =>
        Wait.Until(() => Asked() == name + " hello", () => proxy.Log + proxy.Get("/clusters"));

    private string Asked()
    {
        try
        {
            return _pod.Exec("sh", "-c", "echo hello | socat -t30 - TCP4:127.0.0.1:7001").Trim();
        }
        catch (InvalidOperationException)
        {
            return ""; // Refused, or closed without a word.
        }
    }

    private Sidecar Start(string settings) => Sidecar.Start(
        new Boot().Listen("l", 7001, Boot.Chain(Boot.Tcp("c"))).With(
            Boot.Cluster("c", ["svc:9001"], $", dns_lookup_family: V4_ONLY, {settings}", "STRICT_DNS")),
        _pod.Name);
}
