namespace MeshL4.L4Proxy.Reporting;

/// <summary>
/// Why a connection did not simply finish: Envoy's response flags, the short form being the member's name.
/// DC, UC, UR, OM, RL and UAEX are HTTP-only in Envoy; they are used here for the same causes at layer 4.
/// </summary>
[Flags]
internal enum ResponseFlags
{
    None = 0,

    /// <summary>No healthy upstream host.</summary>
    UH = 1 << 0,

    /// <summary>Upstream connect failure.</summary>
    UF = 1 << 1,

    /// <summary>Upstream overflow: a circuit breaker is open.</summary>
    UO = 1 << 2,

    /// <summary>No filter chain or no route.</summary>
    NR = 1 << 3,

    /// <summary>Connect attempts used up.</summary>
    URX = 1 << 4,

    /// <summary>Cluster not found.</summary>
    NC = 1 << 5,

    /// <summary>Connection reached its maximum duration.</summary>
    DT = 1 << 6,

    /// <summary>Downstream ended the connection early (reset, or left before the upstream was there).</summary>
    DC = 1 << 7,

    /// <summary>Upstream reset the connection.</summary>
    UC = 1 << 8,

    /// <summary>Idle for too long (Envoy: stream idle timeout).</summary>
    SI = 1 << 9,

    /// <summary>Downstream protocol error: bytes the chain cannot accept.</summary>
    DPE = 1 << 10,

    /// <summary>Upstream protocol error.</summary>
    UPE = 1 << 11,

    /// <summary>A limit of this proxy refused the connection.</summary>
    RL = 1 << 12,

    /// <summary>Upstream request timed out.</summary>
    UT = 1 << 13,

    /// <summary>Refused by overload: descriptors or memory.</summary>
    OM = 1 << 14,

    /// <summary>Ended by this proxy (drain, admin, loop guard).</summary>
    LR = 1 << 15,

    /// <summary>An authorization policy refused the connection.</summary>
    UAEX = 1 << 16,

    /// <summary>The settings of a network filter did not come in time, and there is no default.</summary>
    NFCF = 1 << 17,

    /// <summary>Of requests alone: held up by a configured fault.</summary>
    DI = 1 << 18,

    /// <summary>Of requests alone: answered by a configured fault.</summary>
    FI = 1 << 19,
}

/// <summary>Who ended a connection.</summary>
internal enum EndedBy
{
    /// <summary>Both directions reached their end.</summary>
    Both,
    Downstream,
    Upstream,
    Proxy,
}
