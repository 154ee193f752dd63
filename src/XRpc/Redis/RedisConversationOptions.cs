using System.Collections.Immutable;

namespace MeshL4.XRpc.Redis;

/// <summary>What a proxy asks of Redis clients, and what it presents to servers for them. UTF-8 throughout.</summary>
public sealed record RedisConversationOptions
{
    /// <summary>Nothing asked, nothing presented.</summary>
    public static RedisConversationOptions Default { get; } = new();

    /// <summary>Passwords of which a client must present one; empty: AUTH goes to the server.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Passwords { get; init; } = [];

    /// <summary>User that goes with them; empty means <c>default</c>, which AUTH with one argument means too.</summary>
    public ReadOnlyMemory<byte> Username { get; init; }

    /// <summary>What is presented to servers for clients that did not log in there themselves; null presents nothing.</summary>
    public RedisLogin? Upstream { get; init; }

    /// <summary>Commands beyond the server's own whose first argument is a key. Any case.</summary>
    public ImmutableArray<string> CustomCommands { get; init; } = [];
}

/// <summary>A login at a server.</summary>
/// <param name="Username">Empty: the default user, told with the password alone.</param>
/// <param name="Password">The password.</param>
public sealed record RedisLogin(ReadOnlyMemory<byte> Username, ReadOnlyMemory<byte> Password)
{
    /// <summary>Presented for want of a better one: a login of the server's cluster takes its place.</summary>
    public bool IsDefault { get; init; }

    /// <summary>Copies what a client sent.</summary>
    /// <param name="username">Empty for the default user.</param>
    /// <param name="password">Any bytes.</param>
    public static RedisLogin Copy(ReadOnlySpan<byte> username, ReadOnlySpan<byte> password) => new(username.ToArray(), password.ToArray());

    /// <summary>Tells nothing: logins are not to be logged.</summary>
    public override string ToString() => nameof(RedisLogin);
}
