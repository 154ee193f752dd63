namespace MeshL4.Interceptor.Plan;

/// <summary>What a rule does with the packets that meet it, in the kernel's terms.</summary>
internal enum VerdictKind
{
    /// <summary>Leave the packet alone and end the chain.</summary>
    Return,

    /// <summary>Rewrite the destination to a local port and end the chain; nat chains only.</summary>
    Redirect,

    /// <summary>Give the packet to a local socket without changing it, mark it, and end the chain; mangle prerouting only.</summary>
    Tproxy,

    /// <summary>Set the packet's mark and go on.</summary>
    Mark,

    /// <summary>Set the packet's mark and end the chain: policy routing takes it from there.</summary>
    MarkAndAccept,

    /// <summary>Keep the packet's mark in its connection and go on.</summary>
    SaveMark,

    /// <summary>Give the packet the mark of its connection and go on.</summary>
    RestoreMark,

    /// <summary>Drop the packet.</summary>
    Drop,

    /// <summary>Track the packet in a conntrack zone of its own and go on; raw chains only.</summary>
    Zone,

    /// <summary>Add the packet's local port to a set and go on.</summary>
    Remember,

    /// <summary>Take the packet's local port out of a set and go on.</summary>
    Forget,
}
