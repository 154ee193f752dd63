using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Verify;

namespace MeshL4.Init;

/// <summary>Holds the signals that end a process back while it lives: ending between the writing of rules and their proof would leave them unproven.</summary>
internal sealed class SignalWatch : IDisposable
{
    private readonly EndingSignals _signals;
    private volatile bool _raised;

    /// <summary>From now on signals are remembered and do not end the process.</summary>
    public SignalWatch() => _signals = new EndingSignals(() => _raised = true);

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
    public void Dispose() => _signals.Dispose();
}
