using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>Whether a connection begins with an inline command: a line whose first word is one of the server's commands.</summary>
internal static class RespInlineDetection
{
    /// <summary>Looks at the first line.</summary>
    /// <param name="first">From the connection's first byte.</param>
    public static Detection Detect(ReadOnlySpan<byte> first)
    {
        ReadOnlySpan<byte> line = first.TrimStart("\r\n"u8);
        int end = line.IndexOfAny(" \t\r\n"u8);
        ReadOnlySpan<byte> word = end < 0 ? line : line[..end];
        if (end < 0)
        {
            return word.Length > 32 ? Detection.No : Detection.More;
        }

        return RedisCommandTable.Find(word) == RedisCommandId.Other ? Detection.No : Detection.Yes;
    }
}
