using System.Globalization;
using System.Net;
using System.Text;

namespace MeshL4.TestKit;

/// <summary>A real proxy process, its access log, its figures, its end. Ended by its own id, whatever happens.</summary>
internal sealed class ProxyProcess : IAsyncDisposable
{
    private readonly BackgroundProgram _program;
    private readonly Bootstrap _bootstrap;
    private readonly HttpClient _admin;

    private ProxyProcess(BackgroundProgram program, Bootstrap bootstrap)
    {
        (_program, _bootstrap) = (program, bootstrap);
        // No kept connection: it would count as a descriptor of the proxy.
        _admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{bootstrap.AdminPort}"), Timeout = Patience.Limit };
        _admin.DefaultRequestHeaders.ConnectionClose = true;
    }

    public int Id => _program.Id;

    /// <summary>What it wrote, for messages of failure.</summary>
    public string Said => _program.Said;

    /// <summary>Waits until it has said <paramref name="words"/>: a line is read some time after what it tells of.</summary>
    public Task TellsAsync(string words)
        => Patience.UntilAsync(() => Said.Contains(words, StringComparison.Ordinal), $"it says '{words}'", () => Said);

    /// <summary>Starts and waits until <c>/ready</c> says yes.</summary>
    /// <param name="bootstrap">Written to its folder.</param>
    /// <param name="prefix">A program with its arguments that runs the proxy in its place (prlimit, ip netns exec).</param>
    public static async Task<ProxyProcess> StartAsync(Bootstrap bootstrap, params string[] prefix)
    {
        string config = Path.Combine(bootstrap.Folder, "bootstrap.yaml");
        await File.WriteAllTextAsync(config, bootstrap.ToString());
        string[] command = [.. prefix, bootstrap.Program ?? Executables.Proxy, "-c", config, "--concurrency", $"{bootstrap.Concurrency}", "--drain-time-s", $"{bootstrap.DrainSeconds}"];
        var proxy = new ProxyProcess(BackgroundProgram.Start(command), bootstrap);
        try
        {
            if (!prefix.Contains("netns"))
            {
                await Patience.UntilAsync(proxy.IsReadyAsync, "the proxy is ready", () => proxy.Said);
            }
            else
            {
                await Patience.UntilAsync(() => proxy.Said.Contains("live: ", StringComparison.Ordinal), "the proxy is live", () => proxy.Said);
            }
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }

        return proxy;
    }

    /// <summary>All records written so far, in order.</summary>
    public IReadOnlyList<AccessRecord> Records()
    {
        if (!File.Exists(_bootstrap.LogPath))
        {
            return [];
        }

        using var file = new FileStream(_bootstrap.LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file, Encoding.UTF8);
        string text = reader.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(AccessRecord.Parse)];
    }

    /// <summary>The one record of the connection whose client is <paramref name="client"/>.</summary>
    public async Task<AccessRecord> RecordOfAsync(EndPoint client)
    {
        List<AccessRecord> found = [];
        await Patience.UntilAsync(
            () => (found = [.. Records().Where(r => r.Direct == client.ToString())]).Count > 0, $"a record of {client}", () => Said);
        return found.Count == 1 ? found[0] : throw new InvalidOperationException($"{found.Count} records of {client}: {string.Join('\n', found)}");
    }

    /// <summary>A figure of <c>/stats</c>; 0 when it is not there.</summary>
    public async Task<long> StatAsync(string name) => StatsPage.Figure(await _admin.GetStringAsync("/stats"), name);

    /// <summary>A page of the admin API.</summary>
    public Task<string> PageAsync(string path) => _admin.GetStringAsync(path);

    /// <summary>Descriptors of the process that are sockets: the runtime opens files and pipes of its own when it likes.</summary>
    public int Sockets() => Directory.EnumerateFileSystemEntries($"/proc/{Id}/fd")
        .Count(static fd => new FileInfo(fd).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);

    /// <summary>The sockets of a proxy at rest: the least of a few looks, since the admin connection of a look may still close.</summary>
    public async Task<int> SocketsAtRestAsync()
    {
        int least = int.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            await Task.Delay(20);
            least = Math.Min(least, Sockets());
        }

        return least;
    }

    /// <summary>User and system time so far, in clock ticks (proc(5): fields 14 and 15 of stat).</summary>
    public long CpuTicks()
    {
        string stat = File.ReadAllText($"/proc/{Id}/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Fails unless it uses few clock ticks of a processor in one of some times as long as <paramref name="time"/>: a loop that spins uses about 100
    /// a second in each, where it gets the processor, and what the runtime does once by itself is in few of them.
    /// </summary>
    public async Task RestsAsync(TimeSpan time, int fewTicks)
    {
        List<long> used = [];
        do
        {
            long before = CpuTicks();
            await Task.Delay(time);
            used.Add(CpuTicks() - before);
        }
        while (used[^1] >= fewTicks && used.Count < 5);
        if (used[^1] >= fewTicks)
        {
            throw new InvalidOperationException($"it spins: {string.Join(", ", used)} ticks in {time.TotalSeconds} s each. {Said}");
        }
    }

    /// <summary>Waits until nothing is held: no connection, no buffer, no pipe, as many sockets as before.</summary>
    public async Task ReturnsToAsync(int sockets)
    {
        long buffers = -1, pipes = -1, connections = -1;
        await Patience.UntilAsync(
            async () =>
            {
                buffers = await StatAsync("meshl4.buffers_rented");
                pipes = await StatAsync("meshl4.splice_pipes_lent");
                connections = await StatAsync("meshl4.downstream_connections");
                return buffers == 0 && pipes == 0 && connections == 0 && Sockets() <= sockets;
            },
            "everything is given back",
            () => $"buffers {buffers}, pipes {pipes}, connections {connections}, sockets {Sockets()} of {sockets}\n{Said}");
    }

    /// <summary>Freezes it (<c>STOP</c>), or lets it go on (<c>CONT</c>).</summary>
    public void Signal(string name) => _program.Signal(name);

    /// <summary>SIGTERM; the exit code.</summary>
    public Task<int> StopAsync() => Task.Run(() =>
    {
        _program.Terminate();
        return _program.ExitCode();
    });

    public ValueTask DisposeAsync()
    {
        _admin.Dispose();
        _program.Dispose();
        Directory.Delete(_bootstrap.Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<bool> IsReadyAsync()
    {
        if (_program.HasExited)
        {
            throw new InvalidOperationException($"the proxy ended with {_program.ExitCode()}: {Said}");
        }

        try
        {
            using HttpResponseMessage answer = await _admin.GetAsync("/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
