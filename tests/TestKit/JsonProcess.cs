using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace MeshL4.TestKit;

/// <summary>A program of another language that is told what to do by JSON lines on its standard input and tells what it met by JSON lines
/// on its standard output. Its end is the end of that input.</summary>
internal sealed class JsonProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<JsonNode> _events = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private bool _disposed;

    private JsonProcess(Process process) => _process = process;

    /// <summary>Everything it met so far, in order.</summary>
    public IReadOnlyList<JsonNode> Events => [.. _events];

    /// <summary>Starts it.</summary>
    /// <param name="environment">Variables besides those of the tests.</param>
    /// <param name="command">The program and its arguments.</param>
    public static JsonProcess Start(IReadOnlyDictionary<string, string>? environment, params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var process = new JsonProcess(Process.Start(start)!);
        process.Listen();
        return process;
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

    /// <summary>Waits for an event.</summary>
    public async Task<JsonNode> EventAsync(Func<JsonNode, bool> wanted, string what)
    {
        JsonNode? found = null;
        await Patience.UntilAsync(() => (found = _events.FirstOrDefault(wanted)) is not null, what, Said);
        return found!;
    }

    /// <summary>Its events and errors, for messages of failure.</summary>
    public string Said() => string.Join('\n', _events.Select(e => e.ToJsonString()).Concat(_errors));

    /// <summary>Ends it; a test may do so before its own end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
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
