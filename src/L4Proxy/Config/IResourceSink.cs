using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config;

/// <summary>Resources of one type as one source has them now: a bootstrap, a file, or one response of a stream.</summary>
/// <param name="TypeUrl">One of <see cref="TypeUrls"/>.</param>
/// <param name="Version">The source's <c>version_info</c>; a file without one gets the hash of its bytes.</param>
/// <param name="Source">Whose resources these are: absence removes only what came from the same source.</param>
/// <param name="Resources">What the source gave, read while it is applied.</param>
/// <param name="Issues">What was found so far; reading and applying add to it.</param>
internal sealed record ResourceUpdate(
    string TypeUrl, string Version, string Source, IReadOnlyList<OfferedResource> Resources, IssueCollector Issues)
{
    /// <summary>True when a listener or cluster that is not in <see cref="Resources"/> is removed (state of the world).</summary>
    public bool Complete { get; init; } = true;

    /// <summary>True for a delta response, the first, which is <see cref="Complete"/>, among them: later ones change and remove by name.</summary>
    public bool Delta { get; init; }

    /// <summary>Names removed by a delta response.</summary>
    public IReadOnlyList<string> Removed { get; init; } = [];

    /// <summary>Versions of single resources (delta); null where <see cref="Version"/> is that of all.</summary>
    public IReadOnlyDictionary<string, string>? Versions { get; init; }

    /// <summary>Names that stay although they stand in no list: heartbeats of resources with a time to live.</summary>
    public IReadOnlyList<string> Renewed { get; init; } = [];

    /// <summary>The version of one of the resources.</summary>
    public string VersionOf(string name) => Versions?.GetValueOrDefault(name) ?? Version;

    /// <summary>Path of the list in its document, for issues: <c>static_resources.listeners</c>; empty for paths within the resource.</summary>
    public string PathPrefix { get; init; } = "";
}

/// <summary>What became of an update.</summary>
/// <param name="Accepted">False means NACK: some resource, or all, kept the last good version.</param>
/// <param name="Issues">Every error and warning; the errors are the reasons of the NACK.</param>
/// <param name="Held">Names that run as sent in this update: the only ones to report as retained when a stream reconnects.</param>
internal sealed record UpdateVerdict(bool Accepted, IReadOnlyList<ConfigIssue> Issues, IReadOnlyCollection<string> Held);

/// <summary>Where every source delivers. Safe from any thread; deliveries are taken one after the other.</summary>
internal interface IResourceSink
{
    /// <summary>Applies the good resources, keeps the last good version of the bad, and publishes one new snapshot.</summary>
    UpdateVerdict Deliver(ResourceUpdate update);

    /// <summary>Runs <paramref name="work"/>, which may deliver, while nobody else delivers.</summary>
    void Exclusively(Action work);
}
