using MeshL4.Interceptor.Apply;
using MeshL4.TestKit;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>The proxy as a process of its own: started with a bootstrap, asked through its admin port, stopped by signal.</summary>
internal sealed class Sidecar : IDisposable
{
    private static readonly Lazy<string> Program = new(CopyProgram);

    private readonly BackgroundProgram _proxy;
    private readonly string? _namespace;

    private Sidecar(BackgroundProgram proxy, int adminPort, string? ns) => (_proxy, AdminPort, _namespace) = (proxy, adminPort, ns);

    public int AdminPort { get; }

    public int Id => _proxy.Id;

    /// <summary>Everything it logged so far.</summary>
    public string Log => string.Join('\n', _proxy.Errors);

    /// <summary>Starts it and waits until it says LIVE. In a namespace it runs as uid and gid 1337 without capabilities but the one given.</summary>
    public static Sidecar Start(Boot boot, string? ns = null, int drainSeconds = 5, int concurrency = 2, string? capabilities = null) =>
        Start(boot.ToString(), boot.AdminPort, ns, drainSeconds, concurrency, capabilities);

    /// <summary>The same with the text of a bootstrap and the admin port it names.</summary>
    public static Sidecar Start(string boot, int adminPort, string? ns = null, int drainSeconds = 5, int concurrency = 2, string? capabilities = null)
    {
        using var folder = new TempFolder();
        string file = folder.Write("bootstrap.yaml", boot);
        string[] run = [Program.Value, "-c", file, "--concurrency", $"{concurrency}", "--drain-time-s", $"{drainSeconds}"];
        string[] command = ns is null ? run
            : ["ip", "netns", "exec", ns, .. As1337(capabilities), .. run];
        var sidecar = new Sidecar(BackgroundProgram.Start(command), adminPort, ns);
        try
        {
            Wait.Until(() => sidecar._proxy.HasExited || sidecar.Get("/ready").StartsWith("LIVE", StringComparison.Ordinal), () => sidecar.Log);
            sidecar._proxy.HasExited.ShouldBeFalse(sidecar.Log + boot);
            return sidecar;
        }
        catch
        {
            sidecar.Dispose();
            throw;
        }
    }

    /// <summary>Runs it where it must not start: its exit code and what it says.</summary>
    public static (int ExitCode, string Said) Refuse(Boot boot, string ns, string? capabilities = null)
    {
        using var folder = new TempFolder();
        string[] command = ["netns", "exec", ns, .. As1337(capabilities), Program.Value, "-c", folder.Write("bootstrap.yaml", boot.ToString())];
        CommandResult result = new CommandRunner().Run("ip", command);
        return (result.ExitCode, result.Output + result.Error);
    }

    /// <summary>The body of an admin page, empty when nobody answers.</summary>
    public string Get(string path) => Http.Get(AdminPort, path, _namespace).Body;

    /// <summary>The status of an admin page, 0 when nobody answers.</summary>
    public int Status(string path) => Http.Get(AdminPort, path, _namespace).Status;

    /// <summary>One number of /stats; 0 when it is not there.</summary>
    public long Stat(string name) => StatsPage.Figure(Get("/stats"), name);

    /// <summary>Waits until it has logged <paramref name="words"/>: a line is read some time after what it tells of.</summary>
    public void Tells(string words) => Wait.Until(() => Log.Contains(words, StringComparison.Ordinal), () => $"never logged: {words}\n{Log}");

    /// <summary>What <c>/clusters</c> says of the health of a server, as <c>healthy</c>.</summary>
    public string HealthFlags(string cluster, string address)
    {
        string before = $"{cluster}::{address}::health_flags::";
        return Get("/clusters").Split('\n').First(line => line.StartsWith(before, StringComparison.Ordinal))[before.Length..];
    }

    /// <summary>Waits for a line of the access log that has all these texts, and returns it.</summary>
    public string Logged(params string[] texts)
    {
        string? found = null;
        Wait.Until(
            () => (found = _proxy.Output.FirstOrDefault(line => texts.All(text => line.Contains(text, StringComparison.Ordinal)))) is not null,
            () => $"no access log line with {string.Join(", ", texts)} in:\n{string.Join('\n', _proxy.Output)}\n{Log}");
        return found!;
    }

    /// <summary>Waits until so many lines have a text; returns all lines that do.</summary>
    public IReadOnlyList<string> LoggedLines(int count, string text, int seconds = 60)
    {
        List<string> Found() => [.. _proxy.Output.Where(line => line.Contains(text, StringComparison.Ordinal))];
        Wait.Until(() => Found().Count >= count, () => $"fewer than {count} lines with {text} in:\n{string.Join('\n', _proxy.Output)}", seconds);
        return Found();
    }

    public void Terminate() => _proxy.Terminate();

    /// <summary>Waits for its end and returns the exit code.</summary>
    public int ExitCode() => _proxy.ExitCode();

    public void Dispose() => _proxy.Dispose();

    private static string[] As1337(string? capability) =>
        ["setpriv", "--reuid", "1337", "--regid", "1337", "--clear-groups", .. Keeping(capability)];

    private static string[] Keeping(string? capability) => capability is null
        ? ["--inh-caps=-all", "--bounding-set=-all"]
        : [$"--inh-caps=-all,+{capability}", $"--ambient-caps=-all,+{capability}", $"--bounding-set=-all,+{capability}"];

    /// <summary>A copy that uid 1337 can read, wherever the tests were built.</summary>
    private static string CopyProgram()
    {
        var folder = new TempFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        foreach (string file in Directory.EnumerateFiles(AppContext.BaseDirectory, "*"))
        {
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        }

        return Path.Combine(folder.Path, "meshl4-proxy");
    }
}
