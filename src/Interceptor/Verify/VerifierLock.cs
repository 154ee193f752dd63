using System.Diagnostics;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>At most one verification in a network namespace at a time: two would remove each other's interfaces. Nobody without
/// CAP_NET_ADMIN can hold it, so no application can keep a verification from running; it needs no file, and is free again the moment its
/// holder ends, however it ends.</summary>
/// <remarks>On a kernel whose tables have no owners a locked file stands in for it, where the root file system can be written. Where
/// neither can be had there is no lock: two verifications at once then find promises broken, and never held by mistake.</remarks>
internal static class VerifierLock
{
    /// <summary>The table, of family inet, that exists while a verification runs.</summary>
    public const string TableName = "meshl4-verify";

    /// <summary>Where the file stands: only root may write there.</summary>
    private const string Folder = "/run";

    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(10);

    /// <summary>Takes the lock, waiting for another verification as long as one may take: two tries, for each of which children start
    /// and packets are waited for.</summary>
    /// <param name="probeTimeout">How long packets are waited for.</param>
    /// <param name="childLimit">How long a child may take to start; <see cref="ProbeSenders.ChildLimit"/> unless given.</param>
    /// <exception cref="RedirectException">It did not end in time.</exception>
    public static IDisposable Reserve(TimeSpan probeTimeout, TimeSpan? childLimit)
    {
        TimeSpan patience = Patience(probeTimeout, childLimit);
        return Take(patience) ?? throw new RedirectException(
            RedirectFailure.Timeout,
            $"another verification runs in this network namespace (while it does, there is a table inet {TableName}); it was waited for {patience.TotalSeconds} s; run again when it has ended");
    }

    /// <summary>How long a verification may take.</summary>
    internal static TimeSpan Patience(TimeSpan probeTimeout, TimeSpan? childLimit) => 2 * (probeTimeout + (childLimit ?? ProbeSenders.ChildLimit));

    /// <summary>Takes the lock, waiting for another verification to end; null when it has not within <paramref name="patience"/>.</summary>
    public static IDisposable? Take(TimeSpan patience)
    {
        long start = Stopwatch.GetTimestamp();
        using var never = new ManualResetEvent(false);
        IDisposable? held;
        while ((held = TryTake()) is null && Stopwatch.GetElapsedTime(start) < patience)
        {
            _ = never.WaitOne(BetweenTries);
        }

        return held;
    }

    /// <summary>The lock by a file of <paramref name="folder"/>; null when somebody holds it, and something that locks nothing where
    /// there can be no file.</summary>
    internal static IDisposable? TryFile(string folder)
    {
        try
        {
            // One for each network namespace: several may share a file system.
            string name = File.ResolveLinkTarget("/proc/thread-self/ns/net", false)?.Name ?? "";
            // Not shared is flock(2), exclusively.
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, Options = FileOptions.DeleteOnClose };
            if (OperatingSystem.IsLinux())
            {
                // Whoever can open it can lock it.
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            return new FileStream(Path.Combine(folder, $"{TableName}.{string.Concat(name.Where(char.IsAsciiDigit))}"), options);
        }
        catch (IOException e) when (e.HResult == Errno.EAGAIN)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new MemoryStream();
        }
    }

    private static IDisposable? TryTake() => OwnedTable.TryMake(TableName, out OwnedTable? table) switch
    {
        OwningOutcome.Owned => table,
        OwningOutcome.Taken => null,
        // Without the capability no interface is made, and there is nothing to take turns at.
        OwningOutcome.NotPermitted => new MemoryStream(),
        _ => TryFile(Folder),
    };
}
