namespace MeshL4.L4Proxy.Filtering;

/// <summary>Tokens that come back a fixed number at a time. Shared by all loops without a lock.</summary>
/// <param name="maxTokens">Tokens at the start, and the most there ever are.</param>
/// <param name="tokensPerFill">Tokens that come back at once.</param>
/// <param name="fillInterval">Time between two fills; greater than zero.</param>
/// <param name="time">The clock.</param>
internal sealed class TokenBucket(uint maxTokens, uint tokensPerFill, TimeSpan fillInterval, TimeProvider time)
{
    private readonly (uint Most, uint Filled, TimeSpan Interval) _settings = (maxTokens, tokensPerFill, fillInterval);
    private volatile Content _content = new(maxTokens, time.GetTimestamp());

    /// <summary>Goes on with what an earlier one holds, for both, where the settings are the same; else stays as it is. Before it is used.</summary>
    public void Continue(TokenBucket before)
    {
        if (before._settings == _settings)
        {
            _content = before._content;
        }
    }

    /// <summary>Takes one; false when there is none.</summary>
    public bool TryTake()
    {
        Content content = _content;
        Fill(content);
        long tokens = Volatile.Read(ref content.Tokens);
        while (tokens > 0)
        {
            long seen = Interlocked.CompareExchange(ref content.Tokens, tokens - 1, tokens);
            if (seen == tokens)
            {
                return true;
            }

            tokens = seen;
        }

        return false;
    }

    /// <summary>Puts one back that was taken for nothing.</summary>
    public void GiveBack() => Add(_content, 1);

    /// <summary>Whoever moves the count of fills forward adds what they brought.</summary>
    private void Fill(Content content)
    {
        long due = time.GetElapsedTime(content.Started).Ticks / _settings.Interval.Ticks;
        long done = Volatile.Read(ref content.Fills);
        if (due <= done || Interlocked.CompareExchange(ref content.Fills, due, done) != done)
        {
            return;
        }

        Add(content, Math.Min(due - done, _settings.Most) * _settings.Filled);
    }

    private void Add(Content content, long brought)
    {
        long tokens = Volatile.Read(ref content.Tokens);
        for (long seen; ; tokens = seen)
        {
            seen = Interlocked.CompareExchange(ref content.Tokens, Math.Min(_settings.Most, tokens + brought), tokens);
            if (seen == tokens)
            {
                return;
            }
        }
    }

    /// <summary>What several buckets may hold together.</summary>
    private sealed class Content(long tokens, long started)
    {
        public readonly long Started = started;
        public long Fills;
        public long Tokens = tokens;
    }
}
