namespace MeshL4.XRpc.Redis;

/// <summary>A whole command, as an array of bulk strings.</summary>
/// <param name="id">The command.</param>
/// <param name="command">Its row, or that of its subcommand.</param>
/// <param name="bytes">All of it.</param>
/// <param name="arguments">Index of <paramref name="bytes"/>.</param>
/// <param name="converted">Whether the client sent a line instead, so that these bytes have to be sent in place of the frame.</param>
internal readonly ref struct RedisRequest(
    RedisCommandId id, RedisCommand command, ReadOnlySpan<byte> bytes, RespArguments arguments, bool converted)
{
    public RedisCommandId Id { get; } = id;

    public RedisCommand Command { get; } = command;

    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    public RespArguments Arguments { get; } = arguments;

    public bool Converted { get; } = converted;

    public int Count => Arguments.Count;

    /// <summary>Whether an argument is a word, in any case.</summary>
    public bool Is(int index, ReadOnlySpan<byte> word) =>
        index < Arguments.Count && System.Text.Ascii.EqualsIgnoreCase(Arguments[index], word);
}
