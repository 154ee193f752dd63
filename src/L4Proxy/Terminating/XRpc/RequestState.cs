using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// What a request in flight has beyond the plain: a held answer, a copy of the request for another try, its part in a split
/// one. Taken from a pool of the loop and given back.
/// </summary>
internal sealed class RequestState<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private byte[] _reply = [];
    private byte[] _request = [];
    private byte[] _seed = [];
    private int _seedLength;
    private XRpcStatShard? _retryOf;
    private XRpcSession<TCodec>? _keptFor;

    /// <summary>Whether the answer is held here instead of being passed on.</summary>
    public bool Captures { get; set; }

    /// <summary>The conversation looks at the answer.</summary>
    public bool Observes { get; set; }

    public short Tag { get; set; }

    public XRpcRouteSnapshot? Route { get; set; }

    /// <summary>The split request that this is a fragment of; null for none.</summary>
    public SplitRequest<TCodec>? Split { get; set; }

    /// <summary>Number of the fragment.</summary>
    public int Fragment { get; set; }

    /// <summary>Tries left after this one.</summary>
    public int Retries { get; set; }

    /// <summary>The answer is over the limit, or was cut short.</summary>
    public bool IsOverflown { get; private set; }

    public FrameKind ReplyKind { get; set; }

    public int ReplyLength { get; private set; }

    public int RequestLength { get; private set; }

    /// <summary>Bytes of the answer that its client's session has counted.</summary>
    public int Counted { get; set; }

    /// <summary>When it came, in Stopwatch ticks; a retry does not change it.</summary>
    public long StartedAt { get; set; }

    /// <summary>When it was first sent, in Stopwatch ticks: what held it up before is not in its time.</summary>
    public long ForwardedAt { get; set; }

    /// <summary>Whether its end is logged.</summary>
    public bool IsLogged { get; set; }

    /// <summary>The hedged request that this is a try of; null for others.</summary>
    public HedgeRace<TCodec>? Race { get; set; }

    /// <summary>Whether copies of it may be sent while it is not answered.</summary>
    public bool IsHedged { get; set; }

    /// <summary>Why it does not simply end, as its line in the log says.</summary>
    public ResponseFlags Flags { get; set; }

    /// <summary>Where its last try went; null for a part of a split request.</summary>
    public UpstreamLink<TCodec>? SentOn { get; set; }

    /// <summary>Its id there.</summary>
    public ulong SentAs { get; set; }

    /// <summary>Whether it is not the first try of a hedged request.</summary>
    public bool IsCopy { get; private set; }

    public ReadOnlySpan<byte> Reply => _reply.AsSpan(0, ReplyLength);

    /// <summary>The bytes that were sent, for another try.</summary>
    public ReadOnlySpan<byte> Request => _request.AsSpan(0, RequestLength);

    /// <summary>The request's first bytes as its client sent them, as many as the codec's own answers are made of.</summary>
    public ReadOnlySpan<byte> Seed => _seed.AsSpan(0, _seedLength);

    /// <summary>Holds the request's first bytes.</summary>
    public void KeepSeed(ReadOnlySpan<byte> bytes) => _seedLength = bytes.IsEmpty ? 0 : Append(ref _seed, 0, bytes);

    /// <summary>Holds more of the answer.</summary>
    public void Capture(ReadOnlySpan<byte> bytes, long most)
    {
        if (IsOverflown || ReplyLength + (long)bytes.Length > most)
        {
            IsOverflown = true;
            return;
        }

        ReplyLength = Append(ref _reply, ReplyLength, bytes);
    }

    /// <summary>Bytes of its buffers.</summary>
    public int BufferBytes => _reply.Length + _request.Length + _seed.Length;

    /// <summary>Whether the request's bytes are held for another try.</summary>
    public bool KeepsRequest { get; set; }

    /// <summary>Holds the request for another try, where its client has room for it; else there is none.</summary>
    public void KeepForRetry(ReadOnlySpan<byte> bytes, XRpcSession<TCodec> client)
    {
        if (!client.TryCountCopy(bytes.Length))
        {
            (Retries, IsHedged) = (0, false);
            return;
        }

        RequestLength = Append(ref _request, 0, bytes);
        _keptFor = client;
    }

    /// <summary>There is no other try any more. Twice does nothing.</summary>
    public void ForgetRequest()
    {
        _keptFor?.UncountCopy(RequestLength);
        (_keptFor, RequestLength, Retries) = (null, 0, 0);
    }

    /// <summary>It was sent again: a retry is in flight.</summary>
    public void BeginRetry(XRpcStatShard stats)
    {
        _retryOf = stats;
        stats.RetriesActive++;
    }

    /// <summary>The retry ended, if it was one. Twice does nothing.</summary>
    public void EndRetry()
    {
        if (_retryOf is { } stats)
        {
            stats.RetriesActive--;
            _retryOf = null;
        }
    }

    /// <summary>Becomes another try of the same request.</summary>
    public void CopyFrom(RequestState<TCodec> other, XRpcSession<TCodec> client)
    {
        (Captures, Observes, Tag, Route, Retries) = (other.Captures, other.Observes, other.Tag, other.Route, other.Retries);
        (StartedAt, ForwardedAt, IsLogged, Flags, KeepsRequest, IsCopy) = (other.StartedAt, other.ForwardedAt, other.IsLogged, other.Flags, true, true);
        KeepForRetry(other.Request, client);
        KeepSeed(other.Seed);
    }

    /// <summary>Puts another answer in the place of what was held.</summary>
    public void Replace(ReadOnlySpan<byte> bytes, long most)
    {
        (ReplyLength, IsOverflown) = (0, false);
        Capture(bytes, Math.Max(most, bytes.Length));
    }

    /// <summary>As new.</summary>
    /// <param name="keep">Whether its buffers are kept.</param>
    public void Reset(bool keep)
    {
        Race?.Leave(this);
        EndRetry();
        ForgetRequest();
        (Captures, Observes, IsOverflown, IsLogged, KeepsRequest, IsCopy, IsHedged) = (false, false, false, false, false, false, false);
        (Tag, Fragment, ReplyLength, Counted, ReplyKind, StartedAt) = (0, 0, 0, 0, FrameKind.None, 0);
        (Route, Split, SentOn, Flags) = (null, null, null, ResponseFlags.None);
        _seedLength = 0;
        (_reply, _request, _seed) = keep ? (_reply, _request, _seed) : ([], [], []);
    }

    private static int Append(ref byte[] buffer, int length, ReadOnlySpan<byte> bytes)
    {
        if (buffer.Length - length < bytes.Length)
        {
            Array.Resize(ref buffer, Math.Max(length + bytes.Length, Math.Max(256, buffer.Length * 2)));
        }

        bytes.CopyTo(buffer.AsSpan(length));
        return length + bytes.Length;
    }
}

/// <summary>A request whose fragments went to several servers.</summary>
internal sealed class SplitRequest<TCodec> : MergeReplies
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly List<RequestState<TCodec>> _fragments = [];
    private byte[] _notes = [];
    private int _notesLength;

    /// <summary>Fragments not answered yet.</summary>
    public int Missing { get; set; }

    public Pending<TCodec> Request { get; set; }

    public short Tag { get; set; }

    /// <summary>The route whose policies hold for it.</summary>
    public XRpcRouteSnapshot? Route { get; set; }

    /// <summary>The cluster of all its parts; null where there are several.</summary>
    public string? Cluster { get; set; }

    /// <summary>When it came, in Stopwatch ticks.</summary>
    public long StartedAt { get; set; }

    /// <summary>Why a part of it does not simply end.</summary>
    public ResponseFlags Flags { get; set; }

    public override int Count => _fragments.Count;

    public override ReadOnlySpan<byte> Notes => _notes.AsSpan(0, _notesLength);

    public IReadOnlyList<RequestState<TCodec>> Fragments => _fragments;

    public override ReadOnlySpan<byte> this[int fragment] => _fragments[fragment].Reply;

    public override FrameKind KindOf(int fragment) => _fragments[fragment].ReplyKind;

    public void Begin(ReadOnlySpan<byte> notes, short tag)
    {
        _fragments.Clear();
        _notesLength = notes.Length;
        Tag = tag;
        Missing = 0;
        if (_notes.Length < notes.Length)
        {
            _notes = new byte[notes.Length];
        }

        notes.CopyTo(_notes);
    }

    public void Add(RequestState<TCodec> fragment)
    {
        fragment.Split = this;
        fragment.Fragment = _fragments.Count;
        fragment.Captures = true;
        _fragments.Add(fragment);
        Missing++;
    }
}

/// <summary>States not in use, of one loop.</summary>
internal sealed class RequestStatePool<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private const int Most = 4096;

    /// <summary>Of the buffers of all states, 8 MiB.</summary>
    private const long MostBytes = 8L * 1024 * 1024;

    private const int MostBytesOfOne = 64 * 1024;

    private readonly Stack<RequestState<TCodec>> _states = new();
    private readonly Stack<SplitRequest<TCodec>> _splits = new();
    private readonly Stack<HedgeRace<TCodec>> _races = new();

    /// <summary>Bytes of the buffers that are kept for the next.</summary>
    public long HeldBytes { get; private set; }

    public RequestState<TCodec> Rent()
    {
        if (!_states.TryPop(out RequestState<TCodec>? state))
        {
            return new RequestState<TCodec>();
        }

        HeldBytes -= state.BufferBytes;
        return state;
    }

    /// <summary>A state for another try of the same request.</summary>
    public RequestState<TCodec> RentCopy(RequestState<TCodec> of, XRpcSession<TCodec> client)
    {
        RequestState<TCodec> state = Rent();
        state.CopyFrom(of, client);
        return state;
    }

    public HedgeRace<TCodec> RentRace() => _races.TryPop(out HedgeRace<TCodec>? race) ? race : new HedgeRace<TCodec>();

    public void Return(HedgeRace<TCodec> race)
    {
        if (_races.Count < Most)
        {
            _races.Push(race);
        }
    }

    public SplitRequest<TCodec> RentSplit() => _splits.TryPop(out SplitRequest<TCodec>? split) ? split : new SplitRequest<TCodec>();

    public void Return(RequestState<TCodec> state)
    {
        state.Reset(keep: state.BufferBytes <= MostBytesOfOne && HeldBytes + state.BufferBytes <= MostBytes);
        if (_states.Count < Most)
        {
            HeldBytes += state.BufferBytes;
            _states.Push(state);
        }
    }

    /// <summary>Gives a split request and all its fragments back.</summary>
    public void Return(SplitRequest<TCodec> split)
    {
        foreach (RequestState<TCodec> fragment in split.Fragments)
        {
            Return(fragment);
        }

        (split.Request, split.Route, split.Cluster) = (default, null, null);
        if (_splits.Count < Most)
        {
            _splits.Push(split);
        }
    }
}
