using System.Diagnostics;
using System.Text;

namespace MeshL4.Load.Measuring;

/// <summary>A process the harness started and ends itself, by its pid and with everything below it.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptOutput = 600;
    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private ChildProcess(Process process) => _process = process;

    public int Pid => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The first few hundred characters the process wrote, both streams.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString().Trim();
            }
        }
    }

    /// <summary>Starts a process that goes on until it is disposed.</summary>
    public static ChildProcess Start(string program, params string[] arguments)
    {
        var child = new ChildProcess(new Process { StartInfo = Describe(program, arguments) });
        child._process.OutputDataReceived += (_, e) => child.Keep(e.Data);
        child._process.ErrorDataReceived += (_, e) => child.Keep(e.Data);
        try
        {
            child._process.Start();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new VoidRunException($"cannot start {program}: {e.Message}");
        }

        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    /// <summary>Runs a tool to its end and returns what it wrote to standard output.</summary>
    /// <exception cref="VoidRunException">It failed, or took longer than <paramref name="limit"/>.</exception>
    public static async Task<string> RunAsync(string program, string[] arguments, TimeSpan limit, CancellationToken stop)
    {
        using var process = new Process { StartInfo = Describe(program, arguments) };
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stop);
        timeout.CancelAfter(limit);
        try
        {
            process.Start();
            var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            if (process.ExitCode == 0)
            {
                return await output;
            }

            var said = $"{await errors} {await output}".Trim();
            throw new VoidRunException($"{program} ended with {process.ExitCode}: {said[..Math.Min(said.Length, 500)]}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new VoidRunException($"cannot start {program}: {e.Message}");
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new VoidRunException($"{program} did not end within {limit.TotalSeconds:0} s");
        }
        finally
        {
            End(process);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await AskToEndAsync();
        End(_process);
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    /// <summary>SIGTERM first: the master process of nginx then reaps its workers. What is left after a second is killed.</summary>
    private async Task AskToEndAsync()
    {
        if (_process.HasExited)
        {
            return;
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            using var kill = Process.Start(Describe("kill", ["-TERM", $"{Pid}"]))!;
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or System.ComponentModel.Win32Exception)
        {
            // The hard way follows.
        }
    }

    private static void End(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // Never started, or ended by itself.
        }
    }

    private static ProcessStartInfo Describe(string program, string[] arguments) => new(program, arguments)
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        UseShellExecute = false,
    };

    private void Keep(string? line)
    {
        lock (_output)
        {
            if (line is not null && _output.Length < KeptOutput)
            {
                _output.AppendLine(line);
            }
        }
    }
}
