namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>The part of a key that decides where it lives: what stands between its first opening brace and the next closing one.</summary>
internal static class HashTag
{
    /// <summary>The tag; the whole key when it has none or an empty one.</summary>
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> key)
    {
        int open = key.IndexOf((byte)'{');
        if (open < 0)
        {
            return key;
        }

        int length = key[(open + 1)..].IndexOf((byte)'}');
        return length > 0 ? key.Slice(open + 1, length) : key;
    }
}
