namespace MeshL4.Interceptor.Plan;

/// <summary>Which ports, or all of them.</summary>
/// <param name="All">True for "*"; the set is then empty.</param>
/// <param name="Ports">The ports otherwise; empty means none.</param>
internal sealed record PortChoice(bool All, PortSet Ports);
