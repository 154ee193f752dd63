using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace MeshL4.TestKit;

/// <summary>The control plane of foreign make in tests/npm, driven over its standard input. Its end is the end of that input.</summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<JsonNode> _events = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private ControlPlane(Process process) => _process = process;

    /// <summary>The port it listens on.</summary>
    public int Port { get; private set; }

    /// <summary>Everything it met so far, in order.</summary>
    public IReadOnlyList<JsonNode> Events => [.. _events];

    /// <summary>The requests it got, of one type when given by the last part of its name.</summary>
    public IReadOnlyList<JsonNode> Requests(string type = "")
        => [.. _events.Where(e => (string?)e["event"] == "request" && ((string?)e["type_url"])!.EndsWith(type, StringComparison.Ordinal))];

    /// <summary>Reasons of all refusals so far.</summary>
    public IReadOnlyList<string> Refusals => [.. Requests().Select(r => (string?)r["error_detail"]?["message"]).OfType<string>()];

    /// <summary>Starts it and waits until it listens.</summary>
    /// <param name="address">Where: <c>127.0.0.1:0</c> for a port of the kernel's choice, or <c>unix:/path</c>.</param>
    /// <param name="more">Further members of the command, such as key and cert for TLS.</param>
    public static async Task<ControlPlane> StartAsync(string address = "127.0.0.1:0", JsonObject? more = null)
    {
        string script = Path.Combine(Executables.Root, "tests/npm/control-plane.js");
        if (!Directory.Exists(Path.Combine(Executables.Root, "tests/npm/node_modules")))
        {
            throw new DirectoryNotFoundException("tests/npm has no packages: run eng/setup.sh");
        }

        var start = new ProcessStartInfo("node", [script])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var plane = new ControlPlane(Process.Start(start)!);
        plane.Listen();
        JsonObject command = more ?? [];
        command["do"] = "listen";
        command["address"] = address;
        plane.Tell(command);
        JsonNode listening = await plane.EventAsync(e => (string?)e["event"] == "listening", "it listens");
        plane.Port = (int)listening["port"]!;
        return plane;
    }

    /// <summary>Gives it a command.</summary>
    public void Tell(JsonNode command)
    {
        lock (_process)
        {
            _process.StandardInput.WriteLine(command.ToJsonString());
            _process.StandardInput.Flush();
        }
    }

    /// <summary>Sets the resources of all types; what changed is pushed.</summary>
    public void Set(string version, params JsonNode[] resources)
        => Tell(new JsonObject { ["do"] = "set", ["version"] = version, ["resources"] = new JsonArray([.. resources.Select(r => r.DeepClone())]) });

    /// <summary>Waits for an event.</summary>
    public async Task<JsonNode> EventAsync(Func<JsonNode, bool> wanted, string what)
    {
        JsonNode? found = null;
        await Patience.UntilAsync(() => (found = _events.FirstOrDefault(wanted)) is not null, what, Said);
        return found!;
    }

    /// <summary>Waits for a request of a type.</summary>
    public Task<JsonNode> RequestAsync(string type, Func<JsonNode, bool> wanted, string what)
        => EventAsync(e => (string?)e["event"] == "request" && ((string?)e["type_url"])!.EndsWith(type, StringComparison.Ordinal) && wanted(e), what);

    /// <summary>Its events and errors, for messages of failure.</summary>
    public string Said() => string.Join('\n', _events.Select(e => e.ToJsonString()).Concat(_errors));

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private void Listen()
    {
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is { Length: > 0 } text)
            {
                _events.Enqueue(JsonNode.Parse(text)!);
            }
        };
        _process.ErrorDataReceived += (_, line) => _errors.Enqueue(line.Data ?? "");
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }
}
