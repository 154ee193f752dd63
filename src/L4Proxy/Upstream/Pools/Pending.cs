using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <summary>What is special about a request in flight.</summary>
[Flags]
internal enum PendingFlags : ushort
{
    None = 0,

    /// <summary>The client did not ask for it: the answer is dropped.</summary>
    Hidden = 1,

    /// <summary>Part of what brings a new connection into its profile; an error fails the connection.</summary>
    Preamble = 2,

    /// <summary>Behind the answer the client's own connection goes back to its pool; behind an error it may be closed.</summary>
    Unpin = 4,

    /// <summary>Its answer may never come: it lasts as long as its client.</summary>
    Blocking = 8,

    /// <summary>May be sent again.</summary>
    Idempotent = 16,

    /// <summary>A sign of life asked for by the proxy.</summary>
    HealthCheck = 32,

    /// <summary>Its answer is a stream, or is to be one: its client has counted it.</summary>
    Stream = 64,

    /// <summary>The client was answered already: what comes late is dropped.</summary>
    Abandoned = 128,

    /// <summary>A part of a frame of the answer was passed on, which cannot be taken back.</summary>
    Begun = 256,

    /// <summary>A try of a request that other servers may have too; until its answer begins.</summary>
    Hedged = 512,

    /// <summary>Whole frames of the answer were passed on, and more may follow: an error may end it, but it is not asked for again.</summary>
    InParts = 1024,

    /// <summary>Its time counts from the answer before it, where answers come in order.</summary>
    PerAnswer = 2048,

    /// <summary>Asked by the conversation before a request of the client, which waits for it: that one is counted, not this.</summary>
    Ahead = 4096,
}

/// <summary>One request in flight. A plain value in a ring or a slot: nothing is allocated for it.</summary>
internal struct Pending<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Who asked; null for what the proxy asks itself.</summary>
    public XRpcSession<TCodec>? Session;

    /// <summary>Everything that plain requests have no need of; null for them.</summary>
    public RequestState<TCodec>? State;

    /// <summary>Stopwatch ticks of the batch it was sent with.</summary>
    public long SentAt;

    /// <summary>The client's id of it.</summary>
    public ulong Id;

    /// <summary><see cref="FrameHead.ReplySeed"/>.</summary>
    public ulong Seed;

    /// <summary>Milliseconds until it is given up; 0 never.</summary>
    public int TimeoutMs;

    /// <summary>Place among the requests of its client.</summary>
    public uint Sequence;

    /// <summary>Number of the method, for metrics.</summary>
    public ushort Method;

    public PendingFlags Flags;

    public readonly bool Has(PendingFlags flag) => (Flags & flag) != 0;

    /// <summary>What a local answer needs.</summary>
    public readonly FrameHead ToHead() => new() { Kind = FrameKind.Request, Id = Id, ReplySeed = Seed, Method = Method, Replies = 1 };
}

/// <summary>Requests in flight on a connection that answers in order. Grows to a bound.</summary>
internal sealed class PendingRing<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Requests at most.</summary>
    public const int Capacity = 64 * 1024;

    private Pending<TCodec>[] _items = new Pending<TCodec>[16];
    private uint _head;
    private uint _tail;

    public int Count => (int)(_tail - _head);

    public bool IsEmpty => _tail == _head;

    public bool IsFull => Count >= Capacity;

    public ref Pending<TCodec> Head => ref _items[_head & (_items.Length - 1)];

    /// <summary>An item by age; 0 is the oldest.</summary>
    public ref Pending<TCodec> this[int index] => ref _items[(_head + index) & (_items.Length - 1)];

    /// <summary>Room for one more at the end; to be filled at once.</summary>
    public ref Pending<TCodec> Add()
    {
        if (Count == _items.Length)
        {
            Grow();
        }

        return ref _items[_tail++ & (_items.Length - 1)];
    }

    public void RemoveHead()
    {
        Head.Session = null;
        Head.State = null;
        _head++;
    }

    /// <summary>Takes one out from between others.</summary>
    public void RemoveAt(int index)
    {
        for (int i = index; i > 0; i--)
        {
            this[i] = this[i - 1];
        }

        RemoveHead();
    }

    private void Grow()
    {
        var larger = new Pending<TCodec>[_items.Length * 2];
        for (int i = 0; i < _items.Length; i++)
        {
            larger[i] = _items[(_head + i) & (_items.Length - 1)];
        }

        _tail = (uint)Count;
        _head = 0;
        _items = larger;
    }
}
