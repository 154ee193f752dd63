using System.Security.Cryptography;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Files;

/// <summary>What looking at a file gave.</summary>
internal enum FileLook
{
    /// <summary>As at the last delivery, or still changing.</summary>
    Unchanged,

    /// <summary>New content, delivered.</summary>
    Delivered,

    /// <summary>Cannot be read; told once per spell.</summary>
    Unreadable,
}

/// <summary>
/// One followed file. It is looked at every tick, not watched: inotify watches an inode, and the swap of a <c>..data</c> symlink
/// changes a path component above the file, a rename puts another inode under the name, and a file that is not there yet has no
/// inode; a watcher needs a watch on every directory and link of the chain and still loses events when its queue is full. A look costs
/// an open and an fstat. New content is delivered when two looks in turn saw the same bytes, so a file that is being written in place
/// is not taken half-way; one that always changes is taken as it is every two seconds.
/// </summary>
internal sealed class FileSource(string path, string typeUrl, IResourceSink sink, Action<string> unreadable)
{
    /// <summary>Looks between two readings of a file whose size and time did not change (a rename may keep both).</summary>
    private const int LooksPerReading = 8;

    /// <summary>So many looks in turn see other bytes each before the last are delivered all the same.</summary>
    private const int MostUnsettledLooks = 8;

    private (long Length, DateTime Written) _stamp = (-1, default);
    private string _pending = "";
    private string _delivered = "";
    private int _looks;
    private int _unsettled;
    private bool _told;

    // Both are guarded by the sink's lock.
    private readonly HashSet<string> _held = new(StringComparer.Ordinal);
    private bool _left;

    public string Path => path;

    public string TypeUrl => typeUrl;

    /// <summary>Looks once. <paramref name="settled"/> skips the second look: at start nothing older is running that could be kept.</summary>
    public FileLook Look(bool settled = false)
    {
        try
        {
            if (ReadIfDue() is { } content)
            {
                return Take(content, settled);
            }

            return FileLook.Unchanged;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            _stamp = (-1, default);
            (_pending, _unsettled) = ("", 0);
            if (!_told)
            {
                _told = true;
                unreadable(failure.Message);
            }

            return FileLook.Unreadable;
        }
    }

    /// <summary>Removes what it delivered, and delivers nothing more: a look may be under way.</summary>
    public void Leave() => sink.Exclusively(() =>
    {
        _left = true;
        if (_held.Count > 0)
        {
            sink.Deliver(new ResourceUpdate(typeUrl, "", path, [], new IssueCollector()) { Complete = false, Removed = [.. _held] });
        }
    });

    private byte[]? ReadIfDue()
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(path);
        (long, DateTime) stamp = (RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));
        bool due = stamp != _stamp || _pending != _delivered || ++_looks % LooksPerReading == 0;
        if (!due && !_told)
        {
            return null;
        }

        _stamp = stamp;
        if (stamp.Item1 > Decoding.ConfigMessageReader.MaxBytes)
        {
            throw new IOException($"{stamp.Item1} bytes are more than the limit of {Decoding.ConfigMessageReader.MaxBytes}");
        }

        var content = new byte[stamp.Item1];
        int read = 0;
        for (int now = 1; read < content.Length && now > 0; read += now)
        {
            now = RandomAccess.Read(handle, content.AsSpan(read), read);
        }

        return read == content.Length ? content : content[..read];
    }

    private FileLook Take(byte[] content, bool settled)
    {
        string hash = Convert.ToHexStringLower(SHA256.HashData(content));
        bool stable = settled || hash == _pending;
        _pending = hash;
        if (hash == _delivered && !_told)
        {
            _unsettled = 0;
            return FileLook.Unchanged;
        }

        if (!stable && ++_unsettled <= MostUnsettledLooks)
        {
            return FileLook.Unchanged;
        }

        (_told, _unsettled) = (false, 0);
        _delivered = hash;
        ResourceUpdate update = FileResources.Read(path, content, typeUrl, hash[..16]);
        sink.Exclusively(() =>
        {
            if (!_left)
            {
                _held.UnionWith(sink.Deliver(update).Held);
            }
        });
        return FileLook.Delivered;
    }
}
