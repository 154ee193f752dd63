using System.Diagnostics;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>
/// The file or stream behind a sink. Used by the sink's thread only, except <see cref="RequestReopen"/>. Every batch goes to
/// the end of the file as it is now, so a rotation that copies and truncates leaves no hole.
/// </summary>
internal sealed class LogTarget(string path) : IDisposable
{
    private static readonly TimeSpan VanishedCheck = TimeSpan.FromSeconds(1);

    private readonly bool _isStream = path is "/dev/stdout" or "/dev/stderr";
    private Stream? _stream;
    private volatile bool _reopen;
    private long _lastCheck = Stopwatch.GetTimestamp();

    public void RequestReopen() => _reopen = true;

    /// <summary>False when the bytes, or a part of them, could not be written.</summary>
    public bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Stream stream = Current();
            if (!_isStream && stream.CanSeek)
            {
                stream.Seek(0, SeekOrigin.End);
            }

            stream.Write(bytes);
            stream.Flush();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            Close();
            return false;
        }
    }

    public void Dispose() => Close();

    private Stream Current()
    {
        if (_stream is not null && !_isStream && (_reopen || HasVanished()))
        {
            Close();
        }

        _reopen = false;
        return _stream ??= Open();
    }

    private bool HasVanished()
    {
        if (Stopwatch.GetElapsedTime(_lastCheck) < VanishedCheck)
        {
            return false;
        }

        _lastCheck = Stopwatch.GetTimestamp();
        return !File.Exists(path);
    }

    /// <summary>The standard streams are written with write(2): positions are the kernel's, others may share the file.</summary>
    private Stream Open() => path switch
    {
        "/dev/stdout" => Console.OpenStandardOutput(),
        "/dev/stderr" => Console.OpenStandardError(),
        _ => new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0),
    };

    private void Close()
    {
        Stream? closing = _stream;
        _stream = null;
        try
        {
            closing?.Dispose();
        }
        catch (IOException)
        {
            // A failed close loses nothing more than the failed write before it.
        }
    }
}
