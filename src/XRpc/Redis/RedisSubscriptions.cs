namespace MeshL4.XRpc.Redis;

/// <summary>What a frame on a relaying connection ends.</summary>
internal enum RelayEnd
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Nothing is subscribed any more, and nothing that was sent is unanswered.</summary>
    NothingLeft,

    /// <summary>The server has forgotten all about the connection.</summary>
    Reset,

    /// <summary>Nothing: the server does not know RESET.</summary>
    ResetRefused,
}

/// <summary>A command sent on a relaying connection.</summary>
/// <param name="Command">Which; for subscriptions only, else <see cref="RedisCommandId.Other"/>, or RESET.</param>
/// <param name="Answers">Frames that answer it; 0: as many as are subscribed to, at least one; negative: without end.</param>
internal readonly record struct RelayedRequest(RedisCommandId Command, int Answers)
{
    /// <summary>A MONITOR that the server took, and QUIT, behind which it ends the connection.</summary>
    public static RelayedRequest Endless => new(RedisCommandId.Monitor, -1);

    /// <summary>A MONITOR that the server may refuse.</summary>
    public static RelayedRequest Monitor => new(RedisCommandId.Monitor, 1);

    /// <summary>RESET.</summary>
    public static RelayedRequest Reset => new(RedisCommandId.Reset, 1);

    /// <summary>What it sets outlives the subscriptions, so that nobody else may get the connection: MULTI, WATCH, CLIENT TRACKING and the like.</summary>
    public bool LeavesTraces { get; init; }

    /// <summary>The client's name when the server takes it, empty for none; null for commands other than CLIENT SETNAME.</summary>
    public byte[]? Name { get; init; }

    /// <summary>Anything with one answer.</summary>
    public static RelayedRequest Other => new(RedisCommandId.Other, 1);

    /// <summary>A command that subscribes or unsubscribes.</summary>
    /// <param name="command">Which.</param>
    /// <param name="channels">Channels or patterns it names.</param>
    public static RelayedRequest Of(RedisCommandId command, int channels) => new(command, channels);
}

/// <summary>
/// Counts what is subscribed and what is unanswered on a relaying connection, by the frames the server sends: messages answer
/// nothing, one confirmation comes for each channel, and everything else answers one command. In version 2 all of them are arrays, in version
/// 3 messages and confirmations are pushes; the words in them are the same. When it cannot tell any more, it says so for good: the
/// connection then stays the client's.
/// </summary>
internal sealed class RedisSubscriptions
{
    /// <summary>Commands in flight beyond which nobody counts.</summary>
    private const int MaxUnanswered = 64 * 1024;

    private readonly Queue<RelayedRequest> _unanswered = new();
    private int _answered;
    private long _channels;
    private long _patterns;
    private long _shards;
    private bool _endless;

    private byte[]? _name;

    /// <summary>Unanswered commands after which less may be subscribed to.</summary>
    private int _leaving;

    /// <summary>
    /// Whether the client is subscribed at the server when it gets the next command. Shard channels do not count: a server may leave them by itself.
    /// </summary>
    public bool IsSubscribed => !_endless && _leaving == 0 && _channels + _patterns > 0;

    /// <summary>Whether commands that were sent are unanswered, or nobody can tell.</summary>
    public bool HasUnanswered => _unanswered.Count > 0;

    /// <summary>Whether commands that were sent are unanswered, and the last of their answers will be known for it.</summary>
    public bool AwaitsAnswers => HasUnanswered && !_endless;

    /// <summary>A command was sent.</summary>
    /// <param name="request">Which.</param>
    public void Add(RelayedRequest request)
    {
        // RESET is looked for in any case: it is what ends MONITOR.
        _endless |= request.Answers < 0 || _unanswered.Count >= MaxUnanswered;
        if (!_endless || request.Command == RedisCommandId.Reset)
        {
            _unanswered.Enqueue(request);
            _leaving += Leaves(request) ? 1 : 0;
        }
    }

    /// <summary>A frame came.</summary>
    /// <param name="frame">All of it, or its beginning.</param>
    /// <param name="isWhole">Which of the two.</param>
    /// <param name="version">Version of the protocol.</param>
    public RelayEnd Take(ReadOnlySpan<byte> frame, bool isWhole, int version)
    {
        if (frame.SequenceEqual("+RESET\r\n"u8) && AwaitsReset)
        {
            return RelayEnd.Reset;
        }

        if (_endless && frame[0] == (byte)'-' && AwaitsReset)
        {
            // What MONITOR sends is no error: this answers the RESET, or something before it.
            _unanswered.Clear();
            _unanswered.Enqueue(RelayedRequest.Reset);
            return RelayEnd.ResetRefused;
        }

        RedisCommandId word = WordOf(frame, version == 3 ? (byte)'>' : (byte)'*');
        if (_endless || word == RedisCommandId.Publish)
        {
            return RelayEnd.None;
        }

        if (word != RedisCommandId.Other && !TryCount(word, frame, isWhole))
        {
            _endless = true;
            return RelayEnd.None;
        }

        if (word == RedisCommandId.Other && frame[0] == (byte)'+' && _unanswered.TryPeek(out RelayedRequest oldest) && oldest.Name is { } name)
        {
            _name = name;
        }

        switch (Answer(word))
        {
            case RedisCommandId.Reset:
                return RelayEnd.ResetRefused;
            case RedisCommandId.Monitor when frame[0] == (byte)'+':
                _endless = true;
                return RelayEnd.None;
        }

        return _unanswered.Count == 0 && _channels + _patterns + _shards == 0 ? RelayEnd.NothingLeft : RelayEnd.None;
    }

    /// <summary>Tells once which name the server has taken for the client, empty for none; null when it took none.</summary>
    public byte[]? TakeName()
    {
        byte[]? name = _name;
        _name = null;
        return name;
    }

    /// <summary>Begins anew, for another connection.</summary>
    public void Clear()
    {
        _unanswered.Clear();
        (_answered, _leaving, _channels, _patterns, _shards, _endless, _name) = (0, 0, 0, 0, 0, false, null);
    }

    private bool AwaitsReset => _unanswered.Any(static r => r.Command == RedisCommandId.Reset);

    /// <summary>Counts an answer; gives the command that has all of its own now, else <see cref="RedisCommandId.Other"/>.</summary>
    private RedisCommandId Answer(RedisCommandId word)
    {
        if (!_unanswered.TryPeek(out RelayedRequest oldest) || (word != oldest.Command && word != RedisCommandId.Other))
        {
            // The server unsubscribed the client by itself, or a push that nobody here knows: it answers nothing.
            return RedisCommandId.Other;
        }

        // An error answers a subscription as a whole.
        _answered++;
        bool done = word == RedisCommandId.Other || (oldest.Answers > 0 ? _answered >= oldest.Answers : CountOf(word) == 0);
        if (!done)
        {
            return RedisCommandId.Other;
        }

        _leaving -= Leaves(_unanswered.Dequeue()) ? 1 : 0;
        _answered = 0;
        return oldest.Command;
    }

    private static bool Leaves(RelayedRequest request) => request.Command
        is RedisCommandId.Unsubscribe or RedisCommandId.Punsubscribe or RedisCommandId.Sunsubscribe or RedisCommandId.Reset;

    private ref long CountOf(RedisCommandId word)
    {
        switch (word)
        {
            case RedisCommandId.Subscribe or RedisCommandId.Unsubscribe:
                return ref _channels;
            case RedisCommandId.Psubscribe or RedisCommandId.Punsubscribe:
                return ref _patterns;
            default:
                return ref _shards;
        }
    }

    /// <summary>Takes the count at the end of a confirmation: channels and patterns together, or shard channels.</summary>
    private bool TryCount(RedisCommandId word, ReadOnlySpan<byte> frame, bool isWhole)
    {
        int colon = frame.LastIndexOf((byte)':');
        if (!isWhole || colon < 0 || !RespReader.TryInteger(frame[colon..], out long total))
        {
            return false;
        }

        ref long count = ref CountOf(word);
        count = word switch
        {
            RedisCommandId.Subscribe or RedisCommandId.Unsubscribe => total - _patterns,
            RedisCommandId.Psubscribe or RedisCommandId.Punsubscribe => total - _channels,
            _ => total,
        };
        return count >= 0;
    }

    /// <summary>What a frame is: a confirmation of the command that is returned, Publish for a message, Other for anything else.</summary>
    private static RedisCommandId WordOf(ReadOnlySpan<byte> frame, byte expected)
    {
        int at = 0;
        if (!RespReader.TryHeader(frame, ref at, out byte type, out _) || type != expected
            || !RespReader.TryBulk(frame, ref at, out ReadOnlySpan<byte> word))
        {
            return RedisCommandId.Other;
        }

        return word switch
        {
            _ when word.SequenceEqual("message"u8) || word.SequenceEqual("pmessage"u8) || word.SequenceEqual("smessage"u8) => RedisCommandId.Publish,
            _ when word.SequenceEqual("subscribe"u8) => RedisCommandId.Subscribe,
            _ when word.SequenceEqual("unsubscribe"u8) => RedisCommandId.Unsubscribe,
            _ when word.SequenceEqual("psubscribe"u8) => RedisCommandId.Psubscribe,
            _ when word.SequenceEqual("punsubscribe"u8) => RedisCommandId.Punsubscribe,
            _ when word.SequenceEqual("ssubscribe"u8) => RedisCommandId.Ssubscribe,
            _ when word.SequenceEqual("sunsubscribe"u8) => RedisCommandId.Sunsubscribe,
            _ when type == '>' => RedisCommandId.Publish,
            _ => RedisCommandId.Other,
        };
    }
}
