using MeshL4.L4Proxy.Admin.Pages;

namespace MeshL4.L4Proxy.Admin;

/// <summary>The pages of one port.</summary>
internal sealed class AdminPages
{
    private readonly Dictionary<string, IAdminPage> _byPath;

    private AdminPages(params IAdminPage[] pages) => _byPath = pages.ToDictionary(static page => page.Path, StringComparer.Ordinal);

    /// <summary>Everything: the admin port.</summary>
    public static AdminPages Full()
    {
        List<IAdminPage> listed = [];
        IAdminPage[] pages =
        [
            new HelpPage("/", listed), new HelpPage("/help", listed), new ClustersPage(), new ConfigDumpPage(), new DrainListenersPage(),
            new InitDumpPage(), new ListenersPage(), new LoggingPage(), new MemoryPage(), new PrometheusPage("/metrics"), new QuitPage(), new ReadyPage(),
            new ServerInfoPage(), new StatsPage(), new PrometheusPage("/stats/prometheus"),
        ];
        listed.AddRange(pages);
        return new AdminPages(pages);
    }

    /// <summary>Readiness alone: port 15021.</summary>
    public static AdminPages Readiness() => new(new HealthzReadyPage());

    /// <summary>Metrics alone: port 15090.</summary>
    public static AdminPages Prometheus() => new(new PrometheusPage("/stats/prometheus"));

    public IAdminPage? Find(string path) => _byPath.GetValueOrDefault(path);
}
