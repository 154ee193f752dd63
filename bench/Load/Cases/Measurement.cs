namespace MeshL4.Load.Cases;

/// <summary>What one stretch of load gave.</summary>
/// <param name="Rate">Units per second, as the load generator counted them.</param>
/// <param name="Units">How many units were done; processor time is divided by it.</param>
/// <param name="Extras">Further figures: metric, unit, value.</param>
internal sealed record Measurement(double Rate, double Units, params (string Metric, string Unit, double Value)[] Extras);
