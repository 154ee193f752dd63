namespace MeshL4.Load.Cases;

/// <summary>One demand on a metric of a subject.</summary>
/// <param name="Metric">Name of the series.</param>
/// <param name="Subject">Whose figure.</param>
/// <param name="Reference">Divided by whose figure, round by round; null when the figure itself is held against the limit.</param>
/// <param name="AtLeast">True: the figure must reach the limit. False: it must not exceed it.</param>
/// <param name="Limit">The limit, a ratio or a figure in the metric's unit.</param>
internal sealed record Bar(string Metric, string Subject, string? Reference, bool AtLeast, double Limit);
