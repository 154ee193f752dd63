using System.Security.Cryptography;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// One resource of an update, not unpacked. Whoever needs its message reads it, compiles it and lets it go: parsed messages take more
/// than ten times the bytes they came in, and of ten thousand only one has to be there at a time.
/// </summary>
internal abstract class OfferedResource
{
    private const string PlacePrefix = "resources[";
    private UInt128? _fingerprint;

    /// <summary>Its name; empty when it has none or cannot be read so far.</summary>
    public abstract string Name { get; }

    /// <summary>Its name; of one without, its place among those of its update.</summary>
    /// <param name="index">Its place in the list it was taken from.</param>
    public virtual string NameOrPlace(int index) => Name.Length > 0 ? Name : $"{PlacePrefix}{index}]";

    /// <summary>Whether a text stands for the place of a resource without a name.</summary>
    public static bool IsPlace(string name) => name.StartsWith(PlacePrefix, StringComparison.Ordinal);

    /// <summary>The message on the wire.</summary>
    public abstract ReadOnlyMemory<byte> Wire { get; }

    /// <summary>Equal for equal bytes. An equal message in other bytes (another order of map entries) counts as a change.</summary>
    public UInt128 Fingerprint => _fingerprint ??= Hash(Wire.Span);

    /// <summary>Unpacks and checks the message; each call makes a new one.</summary>
    /// <param name="issues">Takes errors and warnings, charged to the resource.</param>
    /// <returns>Null when there was no message in the bytes, which is among the issues.</returns>
    public abstract IMessage? Read(IssueCollector issues);

    /// <summary>Messages that are in hand already: of a bootstrap or a file.</summary>
    public static IReadOnlyList<OfferedResource> Of(IEnumerable<IMessage> messages) => [.. messages.Select(static one => new Ready(one))];

    private static UInt128 Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }

    private sealed class Ready(IMessage message) : OfferedResource
    {
        private byte[]? _wire;

        public override string Name => ResourceSink.NameOf(message);

        public override ReadOnlyMemory<byte> Wire => _wire ??= message.ToByteArray();

        public override IMessage Read(IssueCollector issues) => message;
    }
}
