namespace MeshL4.TestKit.Codecs;

/// <summary>A codec breaks its contract; the message says where and with which bytes.</summary>
public sealed class ConformanceException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What a fuzzer tried, as a line of a <see cref="FuzzCorpus"/>; null for others.</summary>
    public string? Input { get; init; }

    /// <summary>As <see cref="ConformanceException(string, Exception?)"/>, when the condition does not hold.</summary>
    public static void Unless(bool holds, Func<string> message)
    {
        if (!holds)
        {
            throw new ConformanceException(message());
        }
    }

    /// <summary>Bytes as a message shows them: enough to make the input again.</summary>
    public static string Show(ReadOnlySpan<byte> bytes) =>
        bytes.Length <= 8192 ? Convert.ToHexString(bytes) : $"{Convert.ToHexString(bytes[..8192])}... ({bytes.Length} bytes)";
}
