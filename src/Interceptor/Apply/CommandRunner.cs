using System.ComponentModel;
using System.Diagnostics;

namespace MeshL4.Interceptor.Apply;

/// <summary>What a program said and how it ended.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>Runs a program to its end, without a shell: arguments are never parsed again.</summary>
/// <param name="limit">How long a program may run; a minute unless given.</param>
internal sealed class CommandRunner(TimeSpan? limit = null)
{
    private readonly TimeSpan _limit = limit ?? TimeSpan.FromMinutes(1);

    /// <summary>Environment variables that programs are given besides our own.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    /// <summary>Runs <paramref name="program"/>, feeding it <paramref name="input"/>.</summary>
    /// <exception cref="RedirectException">It is missing, or ran longer than the limit and was ended.</exception>
    public CommandResult Run(string program, IReadOnlyList<string> arguments, string? input = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in Variables)
        {
            start.Environment[name] = value;
        }

        using Process process = Start(start);
        long started = Stopwatch.GetTimestamp();
        // Both streams are read while input is written: a program that fills one pipe while we fill another would wait for ever.
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        // A program that does not read would hold us up in the middle of its input.
        using var late = new Timer(static state => Kill((Process)state!), process, _limit, Timeout.InfiniteTimeSpan);
        Write(process, input ?? "");
        TimeSpan rest = _limit - Stopwatch.GetElapsedTime(started);
        if (rest <= TimeSpan.Zero || !process.WaitForExit(rest))
        {
            Kill(process);
            throw new RedirectException(RedirectFailure.Timeout, $"{program} did not end within {_limit.TotalSeconds:0} s and was ended");
        }

        // What it started may have outlived it, and hold the pipes open.
        TimeSpan left = _limit - Stopwatch.GetElapsedTime(started);
        return Task.WhenAll(output, error).Wait(left > TimeSpan.Zero ? left : TimeSpan.Zero)
            ? new CommandResult(process.ExitCode, output.Result, error.Result)
            : throw new RedirectException(RedirectFailure.Timeout, $"{program} ended, but a process that it started kept its output open for {_limit.TotalSeconds:0} s");
    }

    /// <summary>Is there a program of this name on the path? Looks, runs nothing.</summary>
    public bool Exists(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin")
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Any(folder => File.Exists(Path.Combine(folder, program)));

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new RedirectException(RedirectFailure.ProgramMissing, $"cannot run {start.FileName}: {e.Message}");
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has just ended by itself.
        }
    }

    private static void Write(Process process, string input)
    {
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // It ended without reading everything: its exit code and error text say why.
        }
    }
}
