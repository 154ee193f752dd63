using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Relaying;

/// <summary>How a relay ended.</summary>
/// <param name="Flags">None when both sides closed in order.</param>
/// <param name="EndedBy">Who ended it.</param>
/// <param name="Details">Phrase for the log; null for an orderly end.</param>
/// <param name="InOrder">Both sides may be closed in order whatever the flags say: nothing of either was left undelivered.</param>
internal readonly record struct RelayOutcome(ResponseFlags Flags, EndedBy EndedBy, string? Details, bool InOrder = false);
