using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Reporting.Logging;

/// <summary>The logger of one component.</summary>
internal sealed class ProxyLogger(string component, ComponentLevel level, Action<LogLevel, string, string> write) : ILogger
{
    /// <summary>Scopes are not shown.</summary>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && logLevel >= level.Level;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        string message = formatter(state, exception);
        write(logLevel, component, exception is null ? message : $"{message}: {exception}");
    }
}
