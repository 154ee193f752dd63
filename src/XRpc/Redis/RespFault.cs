namespace MeshL4.XRpc.Redis;

/// <summary>Why bytes are no RESP frame. Stored in <see cref="Contracts.FrameHead.Fault"/>.</summary>
public enum RespFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The argument count is no number, or over the limit.</summary>
    MultibulkLength,

    /// <summary>An argument does not start with <c>$</c>.</summary>
    ExpectedBulk,

    /// <summary>A bulk length is no number, negative where it must not be, or over the limit.</summary>
    BulkLength,

    /// <summary>A length is not followed by CR LF, or a bulk string is not.</summary>
    LineEnd,

    /// <summary>An inline command is longer than the limit.</summary>
    InlineTooBig,

    /// <summary>Quotes of an inline command do not match.</summary>
    UnbalancedQuotes,

    /// <summary>A reply starts with a byte that is no RESP type.</summary>
    UnknownType,

    /// <summary>A type of RESP3 whose length is not told in advance; no server sends one.</summary>
    Streamed,

    /// <summary>An aggregate's count is no number or over the limit.</summary>
    AggregateLength,

    /// <summary>A command is called POST or Host:, as in requests of browsers that were led here; the server ends such connections.</summary>
    Http,
}

/// <summary>Words for <see cref="RespFault"/>, close to what redis-server answers for the same bytes.</summary>
public static class RespFaults
{
    /// <summary>The phrase; lower case, no client bytes.</summary>
    /// <param name="fault">The reason.</param>
    public static string Describe(RespFault fault) => fault switch
    {
        RespFault.None => "none",
        RespFault.MultibulkLength => "invalid multibulk length",
        RespFault.ExpectedBulk => "expected '$'",
        RespFault.BulkLength => "invalid bulk length",
        RespFault.LineEnd => "missing CR LF",
        RespFault.InlineTooBig => "too big inline request",
        RespFault.UnbalancedQuotes => "unbalanced quotes in request",
        RespFault.UnknownType => "unknown reply type",
        RespFault.Streamed => "streamed reply type",
        RespFault.AggregateLength => "invalid aggregate length",
        RespFault.Http => "http request",
        _ => "unknown",
    };
}
