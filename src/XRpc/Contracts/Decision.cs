namespace MeshL4.XRpc.Contracts;

/// <summary>What becomes of a request.</summary>
public enum Act : byte
{
    /// <summary>Goes to one server.</summary>
    Forward,

    /// <summary>Was answered: the bytes are in <see cref="IExchange.Answer"/>. The client gets them in its turn.</summary>
    Answer,

    /// <summary>Gets no answer and goes nowhere.</summary>
    Drop,

    /// <summary>Cannot be decided before the frame is whole; it is held, up to a limit.</summary>
    NeedWhole,

    /// <summary>Goes out as the fragments that were written; their answers are merged into one.</summary>
    Split,

    /// <summary>The protocol's <see cref="LocalReply"/> with <see cref="Decision.Reason"/> is the answer.</summary>
    Refuse,

    /// <summary>Cannot be decided before all requests so far were answered: it waits, and those behind it.</summary>
    NeedQuiet,
}

/// <summary>How a request is forwarded.</summary>
[Flags]
public enum ForwardFlags : ushort
{
    /// <summary>On a shared connection, in order with the client's others.</summary>
    None = 0,

    /// <summary>
    /// From here on on a connection of the client's own, until a decision or a reply says Unpin. Requests sent before on shared
    /// connections are answered first, so that none overtakes another.
    /// </summary>
    Pin = 1,

    /// <summary>
    /// This request alone goes on a connection of its own, each part of it where it is split; requests behind it wait for its answer.
    /// </summary>
    PinOnce = 2,

    /// <summary>
    /// The pinned connection goes back to its pool behind the answer to this request: it is as new then. An answer that is an error leaves it nobody knows how,
    /// and it is closed.
    /// </summary>
    Unpin = 4,

    /// <summary>
    /// The pinned connection relays from here on: frames pass as they come in both directions, and answers are not paired with
    /// requests. Implies Pin.
    /// </summary>
    Relay = 8,

    /// <summary>The answer is shown to <see cref="Conversation{TCodec}.OnReply"/> first.</summary>
    Observe = 16,

    /// <summary>Is sent only when all requests before it were answered.</summary>
    Quiet = 32,

    /// <summary>
    /// Nothing behind it is looked at before it was answered. On a connection that relays: before that relays no more, or <see cref="ReplyAct.Resume"/>.
    /// </summary>
    Wait = 64,

    /// <summary>May take as long as it likes: no time-out.</summary>
    NoTimeout = 128,

    /// <summary>
    /// The connection to the client ends behind the answer to this, and a connection that it has for this alone (<see cref="PinOnce"/>) too. It is never sent twice.
    /// </summary>
    Last = 256,

    /// <summary>A replica may answer (the route's read cluster).</summary>
    ReadOnly = 512,

    /// <summary>May be sent twice with the effect of once.</summary>
    Idempotent = 1024,

    /// <summary>
    /// Is about the connection itself (ends a transaction, a subscription): on a connection of the client's own the route that this was opened for
    /// holds, for such a request belongs to no other.
    /// </summary>
    Own = 2048,

    /// <summary>To the one server of the route that the requests of all clients with this flag go to; where keys choose, that of the key, if there is one.</summary>
    Home = 4096,

    /// <summary>
    /// Where no route takes it: to the one server that has all of the keys (<see cref="IExchange.AllTargets"/>), when there is just one. For requests
    /// without a key.
    /// </summary>
    OnlyServer = 8192,

    /// <summary>
    /// Is about all keys of its server: besides the route that takes it, the authorization of every route that leads to the same cluster has to allow it. A
    /// <see cref="Act.Split"/> without keys is so by itself.
    /// </summary>
    AllKeys = 16384,

    /// <summary>
    /// Not before a request of the conversation's own was answered: what was written to <see cref="IExchange.Before"/> goes alone, on the connection that
    /// this one is to have, and <see cref="Conversation{TCodec}.OnReply"/> is shown its answer, which the client never sees. Then
    /// <see cref="Conversation{TCodec}.OnRequest"/> is called again for the same frame. With Pin, in protocols that answer in order.
    /// </summary>
    Ahead = 32768,
}

/// <summary>What a conversation says of a request. A plain value: build it with the static members and <c>with</c>.</summary>
public readonly record struct Decision
{
    /// <summary>What becomes of the request.</summary>
    public Act Act { get; init; }

    /// <summary>
    /// The request may read keys that it does not name, so that nobody can ask rules about them: it is denied where the authorization of any route that leads to
    /// the same cluster does not allow it whatever its keys are.
    /// </summary>
    public bool ReadsUnnamedKeys { get; init; }

    /// <summary>How it is forwarded.</summary>
    public ForwardFlags Flags { get; init; }

    /// <summary>Why, for <see cref="Act.Refuse"/>.</summary>
    public LocalReplyReason Reason { get; init; }

    /// <summary>The conversation's own number for <see cref="Conversation{TCodec}.OnReply"/> and <see cref="Conversation{TCodec}.Merge"/>.</summary>
    public short Tag { get; init; }

    /// <summary>Where the key is that decides on the route; from the frame's first byte.</summary>
    public int KeyOffset { get; init; }

    /// <summary>Bytes of the key; 0 when there is none.</summary>
    public int KeyLength { get; init; }

    /// <summary>A target of <see cref="IExchange.TargetOf"/> plus one; 0: the runtime finds the route by the key.</summary>
    public int TargetPlusOne { get; init; }

    /// <summary>Answers to what was written to <see cref="IExchange.Before"/>; they are taken and dropped.</summary>
    public int HiddenReplies { get; init; }

    /// <summary>Forward by a key inside the frame.</summary>
    /// <param name="keyOffset">From the frame's first byte.</param>
    /// <param name="keyLength">Bytes; 0 for no key.</param>
    /// <param name="flags">How.</param>
    public static Decision Forward(int keyOffset = 0, int keyLength = 0, ForwardFlags flags = ForwardFlags.None) =>
        new() { Act = Act.Forward, KeyOffset = keyOffset, KeyLength = keyLength, Flags = flags };

    /// <summary>Forward to a target that was asked for.</summary>
    /// <param name="target">From <see cref="IExchange.TargetOf"/> in the same call.</param>
    /// <param name="flags">How.</param>
    public static Decision ForwardTo(int target, ForwardFlags flags = ForwardFlags.None) =>
        new() { Act = Act.Forward, TargetPlusOne = target + 1, Flags = flags };

    /// <summary>The answer was written.</summary>
    public static Decision Answered => new() { Act = Act.Answer };

    /// <summary>No answer, nothing forwarded.</summary>
    public static Decision Dropped => new() { Act = Act.Drop };

    /// <summary>Ask again when the frame is whole.</summary>
    public static Decision NeedWhole => new() { Act = Act.NeedWhole };

    /// <summary>Ask again when no answer is due; only while <see cref="IExchange.IsQuiet"/> is false.</summary>
    public static Decision NeedQuiet => new() { Act = Act.NeedQuiet };

    /// <summary>Answer with an error.</summary>
    /// <param name="reason">Why.</param>
    public static Decision Refuse(LocalReplyReason reason) => new() { Act = Act.Refuse, Reason = reason };

    /// <summary>Fragments were written.</summary>
    /// <param name="tag">For the merge.</param>
    public static Decision Split(short tag) => new() { Act = Act.Split, Tag = tag };
}
