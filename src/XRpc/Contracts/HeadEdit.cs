namespace MeshL4.XRpc.Contracts;

/// <summary>What to change in a frame on its way. All that are set apply.</summary>
/// <param name="Id">Id to write in place of the frame's; null leaves it.</param>
/// <param name="RemoveKeyBytes">Bytes to take off the front of the key.</param>
/// <param name="Metadata">Values to set or remove; null for none.</param>
public readonly record struct HeadEdit(ulong? Id = null, int RemoveKeyBytes = 0, IReadOnlyList<MetaEdit>? Metadata = null)
{
    /// <summary>Whether anything changes.</summary>
    public bool IsEmpty => Id is null && RemoveKeyBytes == 0 && Metadata is not { Count: > 0 };
}

/// <summary>A metadata value to set, or to remove.</summary>
/// <param name="Name">As configuration writes it; need not be among <see cref="CodecTraits.Meta"/> (an attachment).</param>
/// <param name="Value">UTF-8; null removes.</param>
public sealed record MetaEdit(string Name, ReadOnlyMemory<byte>? Value);
