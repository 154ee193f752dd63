namespace MeshL4.XRpc.Redis;

/// <summary>What the scanner knows of the current command. Offsets count from the frame's first byte.</summary>
public struct RespRequestHead
{
    /// <summary>The command; valid once <see cref="HasCommand"/>.</summary>
    public RedisCommandId Command;

    /// <summary>Whether the command's name was seen whole.</summary>
    public bool HasCommand;

    /// <summary>Where the command's name ends; 0 until its length was read, and in inline commands.</summary>
    public long NameEnd;

    /// <summary>Whether this is an inline command; its key offsets are not filled.</summary>
    public bool IsInline;

    /// <summary>Arguments declared, the command included; 0 is a frame that redis ignores.</summary>
    public int ArgumentCount;

    /// <summary>Bytes of the frame taken so far.</summary>
    public long Length;

    /// <summary>Where the <c>$</c> of the first key is; 0 until it was seen or when the command has none at a fixed place.</summary>
    public long KeyHeaderOffset;

    /// <summary>Where the first key's bytes are; 0 until its length was read.</summary>
    public long KeyOffset;

    /// <summary>Bytes of the first key.</summary>
    public long KeyLength;

    /// <summary>Why the frame is bad.</summary>
    public RespFault Fault;
}
