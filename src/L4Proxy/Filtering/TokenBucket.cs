namespace MeshL4.L4Proxy.Filtering;

/// <summary>Tokens that come back a fixed number at a time. Shared by all loops without a lock.</summary>
/// <param name="maxTokens">Tokens at the start, and the most there ever are.</param>
/// <param name="tokensPerFill">Tokens that come back at once.</param>
/// <param name="fillInterval">Time between two fills; greater than zero.</param>
/// <param name="time">The clock.</param>
internal sealed class TokenBucket(uint maxTokens, uint tokensPerFill, TimeSpan fillInterval, TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();
    private long _fills;
    private long _tokens = maxTokens;

    /// <summary>Takes one; false when there is none.</summary>
    public bool TryTake()
    {
        Fill();
        long tokens = Volatile.Read(ref _tokens);
        while (tokens > 0)
        {
            long seen = Interlocked.CompareExchange(ref _tokens, tokens - 1, tokens);
            if (seen == tokens)
            {
                return true;
            }

            tokens = seen;
        }

        return false;
    }

    /// <summary>Whoever moves the count of fills forward adds what they brought.</summary>
    private void Fill()
    {
        long due = time.GetElapsedTime(_started).Ticks / fillInterval.Ticks;
        long done = Volatile.Read(ref _fills);
        if (due <= done || Interlocked.CompareExchange(ref _fills, due, done) != done)
        {
            return;
        }

        long brought = Math.Min(due - done, maxTokens) * tokensPerFill;
        long tokens = Volatile.Read(ref _tokens);
        for (long seen; ; tokens = seen)
        {
            seen = Interlocked.CompareExchange(ref _tokens, Math.Min(maxTokens, tokens + brought), tokens);
            if (seen == tokens)
            {
                return;
            }
        }
    }
}
