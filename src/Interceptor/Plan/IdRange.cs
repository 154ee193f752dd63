namespace MeshL4.Interceptor.Plan;

/// <summary>An inclusive range of user or group ids.</summary>
internal readonly record struct IdRange(uint First, uint Last)
{
    /// <summary>"5", or "5-9".</summary>
    public override string ToString() => First == Last ? $"{First}" : $"{First}-{Last}";
}
