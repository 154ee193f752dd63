namespace MeshL4.XRpc.Contracts;

/// <summary>
/// What one client connection has said so far, for a protocol whose requests mean more than "forward me". Pure state: no sockets, nothing
/// allocated per frame on the common path. Protocols without such state need none: <see cref="ForwardingConversation{TCodec}"/>
/// does for them. All calls come from one thread, one at a time.
/// </summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public abstract class Conversation<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>
    /// Says what becomes of a request. Called when the frame is whole, or earlier when it is long and its head is known. After
    /// <see cref="Act.NeedWhole"/> and <see cref="Act.NeedQuiet"/>, or when the runtime had to wait for answers (<see cref="ForwardFlags.Quiet"/>, <see cref="ForwardFlags.Ahead"/> and pinning do),
    /// it is called again for the same frame: change no state before it is certain that the frame goes out with this decision,
    /// which is in <see cref="OnSent"/>, or when the answer is local.
    /// </summary>
    /// <param name="codec">The codec that scanned the frame.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="exchange">Routes, and places to write to; valid during the call.</param>
    public abstract Decision OnRequest(ref TCodec codec, in FrameView frame, IExchange exchange);

    /// <summary>
    /// Says where a copy of a request goes in a cluster whose servers have a part of the keys each, when its <see cref="OnRequest"/> named no key inside
    /// the frame. Changes no state; decisions other than forwarding and splitting leave the copy out.
    /// </summary>
    /// <param name="codec">The codec that scanned the frame.</param>
    /// <param name="frame">The whole frame.</param>
    /// <param name="exchange">Its targets are servers of that cluster.</param>
    public virtual Decision OnCopy(in TCodec codec, in FrameView frame, IExchange exchange) => Decision.Forward();

    /// <summary>The frame was given to an upstream connection under this decision (whose <see cref="Decision.Tag"/> says what to remember).</summary>
    /// <param name="decision">As <see cref="OnRequest"/> gave it.</param>
    /// <param name="exchange">As in <see cref="OnRequest"/>.</param>
    public virtual void OnSent(in Decision decision, IExchange exchange)
    {
    }

    /// <summary>The frame goes nowhere: the runtime answers it with an error (a policy, no server, a bound).</summary>
    /// <param name="request">Its head.</param>
    /// <param name="exchange">Empty; what is written to <see cref="IExchange.Replacement"/> is sent when a request takes its place.</param>
    /// <param name="instead">
    /// A request to send on the client's own connection, past the policies: its answer takes the error's place. Or <see cref="Decision.Dropped"/>: the client
    /// wants no answer.
    /// </param>
    /// <returns>Whether <paramref name="instead"/> counts; else the client gets the error.</returns>
    public virtual bool OnRefused(in FrameHead request, IExchange exchange, out Decision instead)
    {
        instead = default;
        return false;
    }

    /// <summary>
    /// The server refused to bring a new connection into the client's state (<see cref="IExchange.Profile"/>), and the client is given its words for a request.
    /// </summary>
    /// <param name="refusal">The server's error.</param>
    /// <returns>Whether the client's own state is to blame, and it is closed behind the error: it may do better from the beginning.</returns>
    public virtual bool EndsBehind(ReadOnlySpan<byte> refusal) => false;

    /// <summary>
    /// A request on the client's own connection has an error of the runtime's own for its answer, as it took too long; there it may be done all the same, and
    /// its answer is dropped. Not for one that gives the connection back.
    /// </summary>
    /// <returns>False when the answers due behind it would not be what the client takes them for: that connection closes, and it gets errors.</returns>
    public virtual bool OnGivenUp() => true;

    /// <summary>
    /// The whole answer to a request that was forwarded with <see cref="ForwardFlags.Observe"/>, before the client gets it, or to what went
    /// <see cref="ForwardFlags.Ahead"/> of it. Such answers are held up to a limit.
    /// </summary>
    /// <param name="tag"><see cref="Decision.Tag"/> of the request.</param>
    /// <param name="reply">The answer, an error of the proxy's own included.</param>
    /// <param name="exchange">Routes, profile and <see cref="IExchange.Answer"/>.</param>
    public virtual ReplyAct OnReply(int tag, in FrameView reply, IExchange exchange) => ReplyAct.Pass;

    /// <summary>A frame of the server on a connection that relays (<see cref="ForwardFlags.Relay"/>); its bytes pass in any case. A Ping is answered besides.</summary>
    /// <param name="kind">Its kind.</param>
    /// <param name="frame">The frame when it is short, else its beginning.</param>
    /// <param name="exchange">As in <see cref="OnReply"/>.</param>
    /// <returns>
    /// <see cref="ReplyAct.Unpin"/> ends the relaying, and the client shares connections again; <see cref="ReplyAct.EndRelay"/> ends it and leaves the client
    /// its connection.
    /// </returns>
    public virtual ReplyAct OnRelayed(FrameKind kind, in FrameView frame, IExchange exchange) => ReplyAct.Pass;

    /// <summary>
    /// Whether the server owes answers on a connection that relays, and <see cref="OnRelayed"/> gives another act than <see cref="ReplyAct.Pass"/> with the last
    /// of them: an error that ends the client's connection waits for that.
    /// </summary>
    public virtual bool AwaitsRelayed => false;

    /// <summary>Makes one answer of those of a split request's fragments, all of which are there.</summary>
    /// <param name="input">The answers.</param>
    /// <param name="exchange">Write to <see cref="IExchange.Answer"/>.</param>
    public virtual void Merge(in MergeInput input, IExchange exchange) =>
        throw new NotSupportedException("a conversation that splits requests has to merge their answers");
}

/// <summary>What becomes of an answer.</summary>
public enum ReplyAct
{
    /// <summary>The client gets it.</summary>
    Pass,

    /// <summary>The client gets what was written to <see cref="IExchange.Answer"/> instead.</summary>
    Replace,

    /// <summary>The client gets it, and shares connections again; the pinned one goes back to its pool, being as new.</summary>
    Unpin,

    /// <summary>As <see cref="Unpin"/>, but nobody knows in which state the pinned connection is: it is closed.</summary>
    UnpinAndClose,

    /// <summary><see cref="Replace"/> and <see cref="UnpinAndClose"/> in one.</summary>
    ReplaceAndClose,

    /// <summary>The client gets it, and its connection ends behind it, with the pinned one: nobody knows in which state it is.</summary>
    EndClient,

    /// <summary>
    /// The client gets it. On a connection that relays it answers what had <see cref="ForwardFlags.Wait"/>, if anything, nothing more is due, and the relaying
    /// goes on.
    /// </summary>
    Resume,

    /// <summary>The client gets it, and its own connection relays from here on. For an answer that all behind it wait for (<see cref="ForwardFlags.Wait"/>).</summary>
    Relay,

    /// <summary>The client gets it, and its connection relays no more but stays its own: answers, of which none is due, are paired with requests again.</summary>
    EndRelay,
}

/// <summary>The answers of a split request.</summary>
public abstract class MergeReplies
{
    /// <summary>Fragments.</summary>
    public abstract int Count { get; }

    /// <summary>What the conversation wrote to <see cref="IExchange.Notes"/> when it split the request.</summary>
    public abstract ReadOnlySpan<byte> Notes { get; }

    /// <summary>The whole answer to a fragment; an error in the protocol's form when there was none.</summary>
    /// <param name="fragment">From 0, in the order of <see cref="IExchange.Fragment"/>.</param>
    public abstract ReadOnlySpan<byte> this[int fragment] { get; }

    /// <summary>Kind of a fragment's answer.</summary>
    /// <param name="fragment">From 0.</param>
    public abstract FrameKind KindOf(int fragment);
}

/// <summary>What <see cref="Conversation{TCodec}.Merge"/> is given.</summary>
/// <param name="tag"><see cref="Decision.Tag"/> of the request.</param>
/// <param name="request">Head of the request.</param>
/// <param name="replies">The answers.</param>
public readonly ref struct MergeInput(int tag, ref readonly FrameHead request, MergeReplies replies)
{
    /// <summary>Head of the request.</summary>
    public readonly ref readonly FrameHead Request = ref request;

    /// <summary><see cref="Decision.Tag"/> of the request.</summary>
    public int Tag { get; } = tag;

    /// <summary>The answers.</summary>
    public MergeReplies Replies { get; } = replies;
}
