using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace MeshL4.TestKit;

/// <summary>A program that runs beside the test: what it says is kept line by line, and it ends with the test, whatever happens.</summary>
internal sealed class BackgroundProgram : IDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _errors = new();
    private bool _disposed;

    private BackgroundProgram(Process process) => _process = process;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Lines of its standard output so far.</summary>
    public IReadOnlyCollection<string> Output => _output;

    /// <summary>Lines of its standard error so far.</summary>
    public IReadOnlyCollection<string> Errors => _errors;

    /// <summary>All it said, for messages of failure.</summary>
    public string Said => string.Join('\n', _output.Concat(_errors));

    /// <summary>Starts a program, found by PATH or by its path.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="environment">Variables besides those of the tests.</param>
    public static BackgroundProgram Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(command[0], [.. command.Skip(1)])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var program = new BackgroundProgram(Process.Start(start)!);
        program._process.OutputDataReceived += (_, line) => Keep(program._output, line.Data);
        program._process.ErrorDataReceived += (_, line) => Keep(program._errors, line.Data);
        program._process.BeginOutputReadLine();
        program._process.BeginErrorReadLine();
        return program;
    }

    /// <summary>Writes a line to its standard input. Any thread.</summary>
    public void Tell(string line)
    {
        lock (_process)
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
    }

    /// <summary>Asks it to end, with SIGTERM.</summary>
    public void Terminate() => Signal("TERM");

    /// <summary>Sends a signal; one that freezes it has frozen all its threads when this returns.</summary>
    /// <param name="name">As <c>STOP</c>, which freezes it with its connections open, or <c>CONT</c>, which lets it go on.</param>
    /// <exception cref="TimeoutException">It is told to freeze, and runs on.</exception>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", ["-" + name, Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();

        // The kernel tells one thread, which tells the others when it has its turn.
        if (name == "STOP" && !SpinWait.SpinUntil(() => _process.HasExited || IsFrozen(), Patience.Limit))
        {
            throw new TimeoutException($"{_process.StartInfo.FileName} did not freeze. {Said}");
        }
    }

    /// <summary>Waits for its end, and for the rest of what it says.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="TimeoutException">It goes on.</exception>
    public int ExitCode()
    {
        if (!_process.WaitForExit(Patience.Limit))
        {
            throw new TimeoutException($"{_process.StartInfo.FileName} did not end. {Said}");
        }

        _process.WaitForExit();
        return _process.ExitCode;
    }

    /// <summary>Ends it with all processes it started; twice does nothing.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    /// <summary>The state of each thread stands behind its name, which is in brackets (proc(5)).</summary>
    private bool IsFrozen()
    {
        try
        {
            return Directory.EnumerateDirectories($"/proc/{Id}/task").Select(static task => File.ReadAllText(Path.Combine(task, "stat")))
                .All(static stat => stat[stat.LastIndexOf(')')..].StartsWith(") T", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            // A thread that has just ended.
            return false;
        }
    }

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
        {
            lines.Enqueue(line);
        }
    }
}
