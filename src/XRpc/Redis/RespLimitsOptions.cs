namespace MeshL4.XRpc.Redis;

/// <summary>Bounds on what a RESP peer may declare. The defaults are redis-server's, but for the arguments.</summary>
/// <param name="MaxArguments">Arguments of one command; those of servers before 7.0, which take 2147483647.</param>
/// <param name="MaxBulkBytes">Bytes of one bulk string (<c>proto-max-bulk-len</c>).</param>
/// <param name="MaxInlineBytes">Bytes of one inline command, line end included.</param>
/// <param name="MaxReplyElements">Elements of one aggregate in a reply.</param>
public sealed record RespLimitsOptions(
    int MaxArguments = 1024 * 1024,
    long MaxBulkBytes = 512L * 1024 * 1024,
    int MaxInlineBytes = 64 * 1024,
    long MaxReplyElements = int.MaxValue)
{
    /// <summary>The defaults.</summary>
    public static RespLimitsOptions Default { get; } = new();
}
