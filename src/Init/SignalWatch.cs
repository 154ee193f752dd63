using System.Runtime.InteropServices;
using MeshL4.Interceptor.Apply;

namespace MeshL4.Init;

/// <summary>Holds SIGTERM and SIGINT back while it lives: ending between the writing of rules and their proof would leave them unproven.</summary>
internal sealed class SignalWatch : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private volatile bool _raised;

    /// <summary>From now on signals are remembered and do not end the process.</summary>
    public SignalWatch() => _registrations = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, Hold), PosixSignalRegistration.Create(PosixSignal.SIGINT, Hold)];

    /// <summary>Ends what goes on, if there was a signal.</summary>
    /// <exception cref="RedirectException">There was one.</exception>
    public void ThrowIfRaised()
    {
        if (_raised)
        {
            throw new RedirectException(RedirectFailure.Timeout, "a signal ended it");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());

    private void Hold(PosixSignalContext context)
    {
        context.Cancel = true;
        _raised = true;
    }
}
