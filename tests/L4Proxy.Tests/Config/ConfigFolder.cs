using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>A directory of configuration files for one test, and the config path over it.</summary>
internal sealed class ConfigFolder : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("meshl4-config-");
    private ConfigPath? _path;

    public SnapshotStore Store { get; } = new();

    public ConfigPath ConfigPath => _path.ShouldNotBeNull();

    public IReadOnlyList<ConfigIssue> Issues { get; private set; } = [];

    public string Path(string name) => System.IO.Path.Combine(_directory.FullName, name);

    public void Write(string name, string text) => File.WriteAllText(Path(name), text);

    /// <summary>Puts a new file under the name in one step.</summary>
    public void Replace(string name, string text)
    {
        Write(name + ".new", text);
        File.Move(Path(name + ".new"), Path(name), overwrite: true);
    }

    public ProxyArguments Arguments(string bootstrap)
    {
        Write("bootstrap.yaml", bootstrap.Replace("$DIR", _directory.FullName, StringComparison.Ordinal));
        return new ProxyArguments { ConfigPath = Path("bootstrap.yaml") };
    }

    /// <summary>Starts, and fails the test on an error.</summary>
    public ProxySnapshot Start(string bootstrap)
    {
        _path = ConfigPath.Start(Arguments(bootstrap), Store, NullLoggerFactory.Instance, out IReadOnlyList<ConfigIssue> issues);
        _path?.Connect();
        Issues = issues;
        _path.ShouldNotBeNull(string.Join('\n', issues));
        return Store.Current;
    }

    /// <summary>The errors a bootstrap is refused with.</summary>
    public string Errors(string bootstrap)
        => string.Join('\n', ConfigPath.Validate(Arguments(bootstrap)).Where(issue => issue.Severity == IssueSeverity.Error));

    public string Warnings(string bootstrap)
        => string.Join('\n', ConfigPath.Validate(Arguments(bootstrap)).Where(issue => issue.Severity == IssueSeverity.Warning));

    /// <summary>Waits for a condition that a swap or a refusal brings about.</summary>
    public static async Task Until(Func<bool> holds)
    {
        using var giveUp = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!holds())
        {
            await Task.Delay(20, giveUp.Token);
        }
    }

    public void Dispose()
    {
        _path?.Dispose();
        _directory.Delete(recursive: true);
    }

    /// <summary>A bootstrap whose listeners and clusters come from files.</summary>
    public const string Dynamic =
        """
        dynamic_resources:
          lds_config: {path_config_source: {path: $DIR/lds.yaml}}
          cds_config: {path_config_source: {path: $DIR/cds.yaml}}
        """;

    public static string Listeners(string version, params (string Name, int Port, string Cluster)[] listeners)
        => $"version_info: '{version}'\nresources: [{string.Join(", ", listeners.Select(one => $$$$$$$$"""
        {'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: {{{{{{{{one.Name}}}}}}}},
         address: {socket_address: {address: 127.0.0.1, port_value: {{{{{{{{one.Port}}}}}}}}}},
         filter_chains: [{filters: [{name: tcp, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, cluster: {{{{{{{{one.Cluster}}}}}}}}}}]}]}
        """))}]\n";

    public static string Clusters(string version, params (string Name, string Address, int Port)[] clusters)
        => $"version_info: '{version}'\nresources: [{string.Join(", ", clusters.Select(one => $$$$$$$$"""
        {'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: {{{{{{{{one.Name}}}}}}}}, type: STATIC,
         load_assignment: {cluster_name: {{{{{{{{one.Name}}}}}}}}, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: {{{{{{{{one.Address}}}}}}}}, port_value: {{{{{{{{one.Port}}}}}}}}}}}}]}]}}
        """))}]\n";
}
