namespace MeshL4.Interceptor.Plan;

/// <summary>What was given for one flag.</summary>
/// <param name="Origin">"--proxy-uid" or "PROXY_UID": what an error message names.</param>
/// <param name="Values">As given; a repeated flag has several.</param>
internal sealed record FlagValues(string Origin, IReadOnlyList<string> Values)
{
    /// <summary>The entries of all comma lists, trimmed. An empty value is an empty list (Istio's templates write <c>-x ""</c>), an
    /// empty entry between commas is kept, to be refused.</summary>
    public IEnumerable<string> Entries => Values.Where(v => v.Trim().Length > 0).SelectMany(v => v.Split(',')).Select(v => v.Trim());

    /// <summary>The last value given, for flags that take one.</summary>
    public string Last => Values[^1].Trim();
}
