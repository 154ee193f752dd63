namespace MeshL4.Interceptor.Plan;

/// <summary>What became of the flags.</summary>
/// <param name="Options">Worth something only without errors.</param>
/// <param name="Errors">All that was wrong.</param>
/// <param name="Notes">What was right, and may surprise.</param>
internal sealed record OptionsReading(RedirectOptions Options, IReadOnlyList<string> Errors, IReadOnlyList<string> Notes);
