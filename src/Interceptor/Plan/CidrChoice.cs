using System.Net;

namespace MeshL4.Interceptor.Plan;

/// <summary>Which blocks, or all of them.</summary>
/// <param name="All">True for "*"; the list is then empty.</param>
/// <param name="Blocks">The blocks otherwise, both families mixed; empty means none.</param>
internal sealed record CidrChoice(bool All, IReadOnlyList<IPNetwork> Blocks);
