using System.Collections.Concurrent;
using System.Text;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Reporting.Logging;

/// <summary>
/// The process's loggers: lines in Envoy's shape to one sink, usually that of <c>/dev/stderr</c>. Factory and provider at once,
/// so that neither a container nor options are needed for it. Logging never waits: the sink drops when its reader stops.
/// </summary>
internal sealed class ProxyLoggerFactory(LogLevels levels, LogSink sink, bool colour) : ILoggerFactory, ILoggerProvider
{
    private readonly ConcurrentDictionary<string, ProxyLogger> _loggers = new(StringComparer.Ordinal);

    /// <summary>Loggers to standard error through <paramref name="sinks"/>, coloured when it is a terminal.</summary>
    public static ProxyLoggerFactory ToStandardError(LogLevels levels, LogSinks sinks) =>
        new(levels, sinks.For("/dev/stderr")!, colour: !Console.IsErrorRedirected);

    public ILogger CreateLogger(string categoryName)
    {
        string component = ComponentOf(categoryName);
        return _loggers.GetOrAdd(component, name => new ProxyLogger(name, levels.Of(name), Write));
    }

    /// <summary>There is one provider, this one: others are not taken.</summary>
    public void AddProvider(ILoggerProvider provider) =>
        throw new NotSupportedException("the proxy's log has one destination");

    /// <summary>Nothing to end here: whoever made the sink flushes it.</summary>
    public void Dispose()
    {
    }

    /// <summary>A plain category is the component; a type's name gives the first folder below the project; the web server is admin.</summary>
    internal static string ComponentOf(string category)
    {
        const string Root = "MeshL4.L4Proxy.";
        string component = category.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal) ? "admin"
            : category.StartsWith(Root, StringComparison.Ordinal) ? category[Root.Length..].Split('.')[0]
            : category;
        return component.ToLowerInvariant();
    }

    private void Write(LogLevel level, string component, string message)
    {
        string line = LogLine.Make(TimeProvider.System.GetUtcNow(), level, component, message, colour);
        sink.TryAppend(Encoding.UTF8.GetBytes(line));
    }
}
