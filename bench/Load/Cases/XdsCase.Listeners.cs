using System.Globalization;
using System.Net;
using System.Text;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Cases;

/// <summary>New connections that are captured and handed over to the listener of their destination, with few listeners and with many.</summary>
internal sealed partial class XdsCase
{
    private const string Captured = "captured connections";
    private const string Few = "10 listeners";
    private const string FewAgain = "10 listeners (again)";
    private const string Many = "10,000 listeners";
    private const int Port = 6379;

    private async Task MeasureListenersAsync(CaseContext context, string program, CaseResult result)
    {
        await using ListenerPod few = await ListenerPod.StartAsync(context, program, 10);
        await using ListenerPod many = await ListenerPod.StartAsync(context, program, 10_000);
        await using ListenerPod again = await ListenerPod.StartAsync(context, program, 10);
        (string Subject, ListenerPod Pod)[] pods = [(Few, few), (Many, many), (FewAgain, again)];
        foreach ((_, ListenerPod pod) in pods)
        {
            pod.Churn(2, context.Stop);
        }

        for (int round = 0; round < context.Rounds * 2; round++)
        {
            foreach ((string subject, ListenerPod pod) in round % 2 == 0 ? pods : pods.Reverse())
            {
                (long connections, double seconds) = pod.Churn(context.Seconds, context.Stop);
                result.Add(Captured, "conn/s", subject, connections / seconds);
                Say(context, $"round {round + 1}/{context.Rounds * 2} {subject,-20} {connections / seconds,10:N0} conn/s");
            }
        }
    }

    /// <summary>A namespace with its own proxy behind redirect rules, and a redis-server that no rule concerns.</summary>
    private sealed class ListenerPod : IAsyncDisposable
    {
        private readonly CapturePod _pod;
        private readonly List<ChildProcess> _processes = [];
        private readonly IPEndPoint[] _destinations;

        private ListenerPod(CapturePod pod, int listeners) => (_pod, _destinations) = (pod, [.. Destinations(listeners)]);

        public static async Task<ListenerPod> StartAsync(CaseContext context, string program, int listeners)
        {
            var pod = new ListenerPod(await CapturePod.CreateAsync(context.Stop, accept: false), listeners);
            try
            {
                await pod.BeginAsync(context, program, listeners);
                return pod;
            }
            catch
            {
                await pod.DisposeAsync();
                throw;
            }
        }

        /// <summary>Connects to the destinations in turn, asks one PING each, for a while.</summary>
        public (long Connections, double Seconds) Churn(double seconds, CancellationToken stop)
            => new ChurnClients(_destinations, _pod.Sources, _pod.Enter).Run(seconds, stop);

        public async ValueTask DisposeAsync()
        {
            foreach (ChildProcess process in _processes)
            {
                await process.DisposeAsync();
            }

            await _pod.DisposeAsync();
        }

        private static IEnumerable<IPEndPoint> Destinations(int count)
            => Enumerable.Range(0, count).Select(static i => new IPEndPoint(new IPAddress([10, 99, (byte)(i / 200), (byte)((i % 200) + 1)]), Port));

        private async Task BeginAsync(CaseContext context, string program, int listeners)
        {
            string rules = context.Workspace.Write("rules.nft", "table ip bench {\n chain out {\n type nat hook output priority -100\n ip daddr 10.99.0.0/16 meta l4proto tcp redirect to :15001\n }\n}\n");
            await _pod.RunAsync(context.Stop, "nft", "-f", rules);
            Start("redis-server", "--port", $"{Port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxclients", "12000", "--dir", context.Workspace.Path);
            Start(Path.GetFullPath(program), "-c", context.Workspace.Write("listeners.json", Bootstrap(listeners)), "--concurrency", "2");
            for (int tries = 0; ; tries++)
            {
                try
                {
                    Churn(0.05, context.Stop);
                    return;
                }
                catch (VoidRunException) when (tries < 200 && !_processes.Exists(static process => process.HasExited))
                {
                    await Task.Delay(100, context.Stop);
                }
            }
        }

        private void Start(params string[] command) => _processes.Add(ChildProcess.Start("ip", ["netns", "exec", _pod.Name, .. command]));

        /// <summary>The outbound listener, and one that is reached by hand-over alone for each destination.</summary>
        private string Bootstrap(int listeners)
        {
            var text = new StringBuilder("""
                {"node": {"id": "bench", "cluster": "bench"}, "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 15000}}},
                 "bootstrap_extensions": [{"name": "meshl4.proxy_options", "typed_config": {"@type": "type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions",
                   "readiness_port": 0, "prometheus_port": 0, "max_downstream_connections": 9000}}],
                 "static_resources": {"clusters": [{"name": "upstream", "type": "STATIC", "connect_timeout": "5s",
                   "circuit_breakers": {"thresholds": [{"max_connections": 1000000}]}, "load_assignment": {"cluster_name": "upstream",
                   "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 6379}}}}]}]}}], "listeners": [

                """);
            text.Append(Listener("virtualOutbound", "0.0.0.0", 15001, ", \"use_original_dst\": true"));
            foreach (IPEndPoint destination in _destinations)
            {
                text.Append(CultureInfo.InvariantCulture, $",\n{Listener($"{destination.Address}_{destination.Port}", $"{destination.Address}", destination.Port, ", \"bind_to_port\": false")}");
            }

            return text.Append("]}}\n").ToString();
        }

        private static string Listener(string name, string address, int port, string more) => string.Create(CultureInfo.InvariantCulture, $$$"""
            {"name": "{{{name}}}", "address": {"socket_address": {"address": "{{{address}}}", "port_value": {{{port}}}}}{{{more}}}, "filter_chains": [{"filters": [
              {"name": "tcp", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "s", "cluster": "upstream"}}]}]}
            """);
    }
}
