using System.Security.Cryptography;

namespace MeshL4.XRpc.Redis;

/// <summary>Checks what a client presents, in a time that tells nothing of how much of it was right.</summary>
internal static class RedisAuthentication
{
    /// <summary>Whether the user and one of the passwords are right.</summary>
    /// <param name="options">What is asked for.</param>
    /// <param name="username">As sent; empty with a password alone.</param>
    /// <param name="password">As sent.</param>
    public static bool IsRight(RedisConversationOptions options, ReadOnlySpan<byte> username, ReadOnlySpan<byte> password)
    {
        ReadOnlySpan<byte> expected = options.Username.IsEmpty ? "default"u8 : options.Username.Span;
        bool user = AreEqual(username.IsEmpty ? "default"u8 : username, expected);
        bool found = false;
        foreach (ReadOnlyMemory<byte> known in options.Passwords)
        {
            // No early end: which of the passwords it was is nobody's business either.
            found |= AreEqual(password, known.Span);
        }

        return user & found;
    }

    private static bool AreEqual(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        // Digests have one length, so that the comparison does not tell that of the secret.
        Span<byte> digests = stackalloc byte[2 * SHA256.HashSizeInBytes];
        SHA256.HashData(one, digests);
        SHA256.HashData(other, digests[SHA256.HashSizeInBytes..]);
        return CryptographicOperations.FixedTimeEquals(digests[..SHA256.HashSizeInBytes], digests[SHA256.HashSizeInBytes..]);
    }
}
