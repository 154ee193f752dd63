using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>This program again, started as a process that becomes another user and group and sends all probes of that identity.</summary>
internal sealed class ProbeChild : IProbeSender
{
    /// <summary>The command that makes the program <see cref="ProbeService"/>; not for people.</summary>
    public const string Command = "__probe";

    private readonly Process _process;
    private readonly TimeSpan _limit;
    private string? _failure;

    private ProbeChild(Process process, TimeSpan limit)
    {
        _process = process;
        _limit = limit;
    }

    /// <summary>Starts the child, and does not wait for it.</summary>
    /// <param name="program">How to start this program again.</param>
    /// <param name="identity">Who the child becomes.</param>
    /// <param name="limit">How long it may take to begin, and for each answer; a start takes far longer than any packet.</param>
    /// <exception cref="Win32Exception">The program cannot be run.</exception>
    public static ProbeChild Start(IReadOnlyList<string> program, Identity identity, TimeSpan limit)
    {
        var start = new ProcessStartInfo(program[0], [.. program.Skip(1), Command, Id(identity.Uid), Id(identity.Gid)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return new ProbeChild(Process.Start(start)!, limit);
    }

    /// <summary>Waits until the child has become who it is to be.</summary>
    /// <returns>Null, or what the kernel refused, or that the child did not begin in time.</returns>
    public string? Begin()
    {
        string? first = Read();
        if (first == ProbeService.Ready)
        {
            return null;
        }

        _failure ??= first;
        return _failure;
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The child ended, or answers no more.</exception>
    public int Send(Transports transport, IPEndPoint source, IPEndPoint destination) =>
        int.Parse(Ask(ProbeService.SendLine(transport, source, destination)) ?? throw new InvalidOperationException(_failure), CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public SocketNews NewsOf(Transports transport, IPEndPoint source) =>
        int.TryParse(Ask(ProbeService.NewsLine(transport, source)), CultureInfo.InvariantCulture, out int number) ? new SocketNews(number) : SocketNews.None;

    /// <summary>Tells the child that nothing more comes.</summary>
    public void Release()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already.
        }
    }

    /// <summary>Lets the child end; kills it when it does not.</summary>
    public void Dispose()
    {
        Release();
        const int patience = 2000;
        if (_failure is not null || !_process.WaitForExit(patience))
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private string? Ask(string line)
    {
        if (_failure is not null)
        {
            return null;
        }

        try
        {
            _process.StandardInput.Write($"{line}\n");
            _process.StandardInput.Flush();
            return Read();
        }
        catch (IOException)
        {
            _failure = "the probing process ended early";
            return null;
        }
    }

    private string? Read()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        if (!line.Wait(_limit))
        {
            _failure = string.Create(CultureInfo.InvariantCulture, $"the probing process did not answer within {_limit.TotalSeconds:0} s");
            return null;
        }

        _failure = line.Result is null ? "the probing process ended early" : null;
        return line.Result;
    }

    private static string Id(uint id) => id.ToString(CultureInfo.InvariantCulture);
}
