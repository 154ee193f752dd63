using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Verify;

/// <summary>Takes the signals that would end the process while it lives: from outside, from a terminal, and from one that is closed.</summary>
internal sealed class EndingSignals : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;

    /// <summary>From now on a signal does not end the process.</summary>
    /// <param name="raised">Is called for each.</param>
    public EndingSignals(Action raised) => _registrations =
        [.. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP, PosixSignal.SIGQUIT }.Select(signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            raised();
        }))];

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());
}
