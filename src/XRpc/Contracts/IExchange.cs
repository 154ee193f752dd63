using System.Buffers;

namespace MeshL4.XRpc.Contracts;

/// <summary>
/// The runtime as a conversation sees it while it decides on one request. A target is a server connection to be: numbers are given in
/// the order of asking, from 0, and hold during one call; equal numbers are the same server.
/// </summary>
public interface IExchange
{
    /// <summary>Whether routes look at keys, so that requests with several keys may belong to several servers.</summary>
    bool RoutesByKey { get; }

    /// <summary>Whether no answer is due to the client. <see cref="Act.NeedQuiet"/> waits for that.</summary>
    bool IsQuiet { get; }

    /// <summary>
    /// What new upstream connections of this client are told first. Setting it moves the client to the pools of that profile: what is asked from then on
    /// could overtake requests in flight, and those would be tried again over connections of another state. So set it where <see cref="IsQuiet"/> holds, or
    /// when the answer comes that all behind it wait for.
    /// </summary>
    ConnectionProfile Profile { get; set; }

    /// <summary>Whether the client has a connection of its own now.</summary>
    bool IsPinned { get; }

    /// <summary>The target of the client's own connection, comparable with those of the same call; -1 when it has none.</summary>
    int PinnedTarget { get; }

    /// <summary>Whether that connection relays.</summary>
    bool IsRelaying { get; }

    /// <summary>For answers of the proxy's own (<see cref="Act.Answer"/>, <see cref="ReplyAct.Replace"/>, merging).</summary>
    IBufferWriter<byte> Answer { get; }

    /// <summary>Requests to send before the frame on the same connection; the client never sees their answers (<see cref="Decision.HiddenReplies"/>).</summary>
    IBufferWriter<byte> Before { get; }

    /// <summary>Sent in place of the frame when anything was written.</summary>
    IBufferWriter<byte> Replacement { get; }

    /// <summary>Bytes to be given back to <see cref="Conversation{TCodec}.Merge"/>.</summary>
    IBufferWriter<byte> Notes { get; }

    /// <summary>
    /// The server that a key belongs to; -1 when no route takes the key. A cluster without a usable server counts as one: what goes there fails. On a
    /// connection of the client's own that is -1 too, and the runtime says what lacks when the request is refused.
    /// </summary>
    /// <param name="key">Empty: the route of requests without a key.</param>
    /// <param name="readOnly">Whether a replica may answer.</param>
    /// <param name="removeKeyBytes">Bytes to take off the key's front on the way to that server.</param>
    int TargetOf(ReadOnlySpan<byte> key, bool readOnly, out int removeKeyBytes);

    /// <summary>
    /// The server at which all clients meet for a key, as <see cref="ForwardFlags.Home"/> says: where keys choose the key's own. On a connection of the
    /// client's own it is <see cref="TargetOf"/>. -1 as there.
    /// </summary>
    /// <param name="key">What chooses where keys do.</param>
    int HomeOf(ReadOnlySpan<byte> key);

    /// <summary>
    /// Asks for all servers of all routes that have a part of the keys: targets 0 to n-1, in an order that stays as long as they do. Of servers that are
    /// interchangeable it is the one that this client has; replicas are left out. A cluster without any server counts as one: what goes there fails. None,
    /// where every route names methods and none that of the request.
    /// </summary>
    /// <param name="home">Of interchangeable servers the one at which all clients meet.</param>
    /// <returns>Their number, n; 0 when no route leads anywhere.</returns>
    int AllTargets(bool home = false);

    /// <summary>Begins a fragment; what is written to the result, up to the next fragment, goes to that server and is one request there.</summary>
    /// <param name="target">From <see cref="TargetOf"/> or <see cref="AllTargets"/>.</param>
    IBufferWriter<byte> Fragment(int target);
}

/// <summary>
/// State that a server connection is brought into before clients use it: who it is logged in as, which version and database it speaks.
/// Connections are shared only by clients with equal profiles. Equality is by bytes.
/// </summary>
/// <param name="preamble">Requests to send first. Held, not copied.</param>
/// <param name="replies">
/// Answers to them; an error among them fails the connection, and is told to who waits for it. Nothing else is sent before all of them came. Always 0 in
/// multiplexed protocols.
/// </param>
public sealed class ConnectionProfile(ReadOnlyMemory<byte> preamble, int replies) : IEquatable<ConnectionProfile>
{
    private readonly int _hash = HashOf(preamble.Span);

    /// <summary>A connection as the server accepted it.</summary>
    public static ConnectionProfile None { get; } = new(default, 0);

    /// <summary>Requests to send first.</summary>
    public ReadOnlyMemory<byte> Preamble { get; } = preamble;

    /// <summary>Answers to them.</summary>
    public int Replies { get; } = replies;

    /// <summary>
    /// Bytes at the beginning of <see cref="Preamble"/> that are a login with one answer which the proxy presents for want of a better one: that of the
    /// server's cluster takes its place. 0 for none.
    /// </summary>
    public int DefaultLoginBytes { get; init; }

    /// <summary>Answers, the first ones, that are to a login of the proxy's own: the default one, or that of the server's cluster.</summary>
    public int ProxyLogins
    {
        get => DefaultLoginBytes > 0 ? 1 : field;
        private init;
    }

    /// <summary>This state of a connection that was logged in before.</summary>
    /// <param name="login">What comes first, in place of a default login.</param>
    public ConnectionProfile Behind(ConnectionProfile login)
    {
        byte[] all = [.. login.Preamble.Span, .. Preamble.Span[DefaultLoginBytes..]];
        return new ConnectionProfile(all, login.Replies + Replies - (DefaultLoginBytes > 0 ? 1 : 0)) { ProxyLogins = login.Replies };
    }

    /// <inheritdoc/>
    public bool Equals(ConnectionProfile? other) =>
        ReferenceEquals(this, other) || (other is not null && other._hash == _hash && Preamble.Span.SequenceEqual(other.Preamble.Span));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ConnectionProfile);

    /// <inheritdoc/>
    public override int GetHashCode() => _hash;

    private static int HashOf(ReadOnlySpan<byte> bytes)
    {
        var hash = default(HashCode);
        hash.AddBytes(bytes);
        return hash.ToHashCode();
    }
}
