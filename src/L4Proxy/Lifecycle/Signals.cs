using System.Runtime.InteropServices;

namespace MeshL4.L4Proxy.Lifecycle;

/// <summary>SIGTERM and the first SIGINT drain; a second SIGINT ends at once; SIGUSR1 reopens log files.</summary>
internal sealed class Signals : IDisposable
{
    /// <summary>Raw numbers are allowed beside the named ones; 10 is SIGUSR1 on every Linux .NET runs on.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _interrupts;

    public Signals(TaskCompletionSource<ExitRequest> exit, Action reopenLogs)
    {
        Handle(PosixSignal.SIGTERM, () => exit.TrySetResult(new ExitRequest(Drain: true)));
        Handle(PosixSignal.SIGINT, () => Interrupt(exit));
        Handle(UserSignal1, reopenLogs);
    }

    /// <summary>Set by a second SIGINT: the drain gives up waiting.</summary>
    public static CancellationTokenSource Hurry { get; } = new();

    public void Dispose() => _registrations.ForEach(static r => r.Dispose());

    private void Interrupt(TaskCompletionSource<ExitRequest> exit)
    {
        exit.TrySetResult(new ExitRequest(Drain: true));
        if (Interlocked.Increment(ref _interrupts) > 1)
        {
            Hurry.Cancel();
        }
    }

    private void Handle(PosixSignal signal, Action action) => _registrations.Add(PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        action();
    }));
}
