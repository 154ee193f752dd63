namespace MeshL4.Interceptor.Plan;

/// <summary>Is the plan shown to hold after it was applied?</summary>
internal enum VerifyMode
{
    /// <summary>Yes; what cannot be shown here is no failure.</summary>
    On,

    /// <summary>Yes, and what cannot be shown is a failure.</summary>
    Strict,

    /// <summary>No.</summary>
    Off,
}
