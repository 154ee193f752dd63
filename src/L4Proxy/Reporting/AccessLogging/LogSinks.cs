using System.Buffers;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>All log sinks of the process by path, and the compiled lines by access log.</summary>
internal sealed class LogSinks : IMetricSource, IDisposable
{
    /// <summary>Paths are configuration; the bound keeps a runaway control plane from making threads without end.</summary>
    public const int MaxPaths = 256;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_line;

    private static readonly MetricScope Scope = new("filesystem");

    private readonly Lock _adding = new();
    private Dictionary<string, LogSink> _sinks = new(StringComparer.Ordinal);
    private long _refused;

    /// <summary>The sink of a path, opened on first use; null when there are <see cref="MaxPaths"/> already.</summary>
    public LogSink? For(string path) =>
        Volatile.Read(ref _sinks).TryGetValue(path, out LogSink? sink) ? sink : Add(path);

    /// <summary>The compiled form of an access log; null when a format is wrong (validation reports that before).</summary>
    public static AccessLogLine? LineOf(AccessLogSnapshot log)
        => log.Line().Of(log) ?? (AccessLogLine.TryCompile(log, out AccessLogLine? line, out _) ? log.Line().Add(log, line!) : null);

    /// <summary>Writes the line of a record. It is made in a buffer of the calling thread, and the sink never waits.</summary>
    public void Write(AccessLogSnapshot log, ConnectionRecord record)
    {
        if (LineOf(log) is not { } line || For(log.Path) is not { } sink)
        {
            return;
        }

        ArrayBufferWriter<byte> buffer = t_line ??= new ArrayBufferWriter<byte>(512);
        buffer.ResetWrittenCount();
        line.Write(record, buffer);
        sink.TryAppend(buffer.WrittenSpan);
    }

    /// <summary>Opens every path anew: wired to SIGUSR1.</summary>
    public void Reopen()
    {
        foreach (LogSink sink in Volatile.Read(ref _sinks).Values)
        {
            sink.Reopen();
        }
    }

    public void Collect(IMetricVisitor visitor)
    {
        long written = 0, bytes = 0, failed = 0, dropped = Volatile.Read(ref _refused);
        foreach (LogSink sink in Volatile.Read(ref _sinks).Values)
        {
            written += sink.Written;
            bytes += sink.WrittenBytes;
            failed += sink.FailedWrites;
            dropped += sink.Dropped;
        }

        visitor.Counter(Scope, "write_completed", written);
        visitor.Counter(Scope, "write_bytes_total", bytes);
        visitor.Counter(Scope, "write_failed", failed);
        visitor.Counter(Scope, "write_dropped", dropped);
    }

    /// <summary>Writes out what every sink holds and ends them.</summary>
    public void Dispose()
    {
        lock (_adding)
        {
            foreach (LogSink sink in _sinks.Values)
            {
                sink.Dispose();
            }
        }
    }

    private LogSink? Add(string path)
    {
        lock (_adding)
        {
            if (_sinks.TryGetValue(path, out LogSink? sink))
            {
                return sink;
            }

            if (_sinks.Count >= MaxPaths)
            {
                Interlocked.Increment(ref _refused);
                return null;
            }

            sink = new LogSink(path);
            Volatile.Write(ref _sinks, new Dictionary<string, LogSink>(_sinks, StringComparer.Ordinal) { [path] = sink });
            return sink;
        }
    }
}
