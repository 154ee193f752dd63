using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>This program again, started as a process that becomes another user and group and sends all probes of that identity.</summary>
internal sealed class ProbeChild : IDisposable
{
    /// <summary>The command that makes the program <see cref="ProbeSender.Serve"/>; not for people.</summary>
    public const string Command = "__probe";

    private readonly Process _process;

    private ProbeChild(Process process) => _process = process;

    /// <summary>Starts the child, and does not wait for it.</summary>
    /// <exception cref="Win32Exception">The program cannot be run.</exception>
    public static ProbeChild Start(IReadOnlyList<string> program, Identity identity)
    {
        var start = new ProcessStartInfo(program[0], [.. program.Skip(1), Command, Id(identity.Uid), Id(identity.Gid)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return new ProbeChild(Process.Start(start)!);
    }

    /// <summary>Has <paramref name="probes"/> sent; each answer, by the probe's place in the list, is the local port or a negative errno.</summary>
    /// <returns>What the kernel refused when the child could not take its identity; null otherwise.</returns>
    public string? Send(IReadOnlyList<Probe> probes, Action<int, int> answered)
    {
        string? first = _process.StandardOutput.ReadLine();
        if (first != "ready")
        {
            return first ?? "the probing process ended before it began";
        }

        for (int i = 0; i < probes.Count; i++)
        {
            Packet packet = probes[i].Packet;
            string transport = packet.Transport == Transports.Tcp ? "tcp" : "udp";
            _process.StandardInput.Write(string.Create(CultureInfo.InvariantCulture,
                $"{transport} {packet.Source} {packet.Destination} {packet.DestinationPort}\n"));
            _process.StandardInput.Flush();
            if (!int.TryParse(_process.StandardOutput.ReadLine(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int answer))
            {
                return "the probing process ended early";
            }

            answered(i, answer);
        }

        return null;
    }

    /// <summary>Ends a child that does not answer.</summary>
    public void End() => _process.Kill();

    /// <summary>Lets the child end; kills it when it does not.</summary>
    public void Dispose()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already.
        }

        const int patience = 2000;
        if (!_process.WaitForExit(patience))
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private static string Id(uint id) => id.ToString(CultureInfo.InvariantCulture);
}
