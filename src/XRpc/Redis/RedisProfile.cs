using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>What upstream connections of a client must be: who is logged in, which version and database they speak.</summary>
/// <param name="Login">Null: whoever the server takes a new connection for.</param>
/// <param name="Version">Version of the protocol, 2 or 3.</param>
/// <param name="Database">Number of the database.</param>
public readonly record struct RedisProfile(RedisLogin? Login, int Version, int Database)
{
    /// <summary>As a server accepts a connection, with a login or without.</summary>
    /// <param name="login">May be null.</param>
    public static RedisProfile Of(RedisLogin? login) => new(login, 2, 0);

    /// <summary>The requests that bring a new connection there.</summary>
    public ConnectionProfile ToConnection()
    {
        if (this == Of(null))
        {
            return ConnectionProfile.None;
        }

        var preamble = new ArrayBufferWriter<byte>(128);
        int replies = WriteLogin(preamble);
        int login = Login is { IsDefault: true } ? preamble.WrittenCount : 0;
        if (Version != 2)
        {
            RespWriter.WriteHeader(preamble, (byte)'*', 2);
            RespWriter.WriteBulk(preamble, "HELLO"u8);
            RespWriter.WriteBulk(preamble, (ulong)Version);
            replies++;
        }

        if (Database != 0)
        {
            RespWriter.WriteHeader(preamble, (byte)'*', 2);
            RespWriter.WriteBulk(preamble, "SELECT"u8);
            RespWriter.WriteBulk(preamble, (ulong)Database);
            replies++;
        }

        return new ConnectionProfile(preamble.WrittenMemory, replies) { DefaultLoginBytes = login };
    }

    private int WriteLogin(IBufferWriter<byte> preamble)
    {
        if (Login is not { } login)
        {
            return 0;
        }

        RespWriter.WriteHeader(preamble, (byte)'*', login.Username.IsEmpty ? 2 : 3);
        RespWriter.WriteBulk(preamble, "AUTH"u8);
        if (!login.Username.IsEmpty)
        {
            RespWriter.WriteBulk(preamble, login.Username.Span);
        }

        RespWriter.WriteBulk(preamble, login.Password.Span);
        return 1;
    }
}
