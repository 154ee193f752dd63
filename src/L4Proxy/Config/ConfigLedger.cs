using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Listening;

namespace MeshL4.L4Proxy.Config;

/// <summary>A resource that runs, and since when.</summary>
internal sealed record RunningResource(string TypeUrl, string Name, string Version, string Source, DateTimeOffset Updated, StoredResource Stored)
{
    /// <summary>Tells it from others.</summary>
    public ResourceKey Key => ResourceKey.Of(TypeUrl, Source, Name);

    public bool IsStaticListener => TypeUrl == TypeUrls.Listener && Source == ResourceTable<object>.StaticSource;
}

/// <summary>What was refused last for a name (or, with an empty name, for a whole update), with every reason.</summary>
internal sealed record RejectedResource(
    string TypeUrl, string Name, string Version, string Source, DateTimeOffset At, IReadOnlyList<ConfigIssue> Reasons, StoredResource? Stored)
{
    /// <summary>Tells it from others.</summary>
    public ResourceKey Key => ResourceKey.Of(TypeUrl, Source, Name);
}

/// <summary>Why a listener that was accepted is not open, and when it was tried last.</summary>
internal sealed record BindingFailure(string Reason, DateTimeOffset At);

/// <summary>What runs and what was refused beside it, for /config_dump. Safe from any thread.</summary>
internal sealed class ConfigLedger(TimeProvider time) : Admin.IConfigDump
{
    private readonly Lock _access = new();
    private readonly Dictionary<ResourceKey, RunningResource> _running = [];
    private readonly Dictionary<ResourceKey, RejectedResource> _rejected = [];
    private Dictionary<string, BindingFailure> _unbound = [];
    private IReadOnlyList<ResourceKey> _requested = [];
    private readonly Dictionary<string, string> _versions = new(StringComparer.Ordinal);
    private IMessage? _bootstrap;
    private DateTimeOffset _bootstrapUpdated;

    /// <summary>What runs now, in no order.</summary>
    public IReadOnlyList<RunningResource> Running
    {
        get
        {
            lock (_access)
            {
                return [.. _running.Values];
            }
        }
    }

    /// <summary>What was refused and has not been mended since.</summary>
    public IReadOnlyList<RejectedResource> Rejected
    {
        get
        {
            lock (_access)
            {
                return [.. _rejected.Values];
            }
        }
    }

    /// <summary>What the running resources hold, by type.</summary>
    /// <param name="compiled">Bytes of what they were compiled to, by type URL, of the types that a snapshot has.</param>
    public IReadOnlyList<Admin.ResourceMemory> Memory(IReadOnlyDictionary<string, long> compiled) =>
        [.. Running.GroupBy(static one => one.TypeUrl).OrderBy(static group => group.Key, StringComparer.Ordinal).Select(group => new Admin.ResourceMemory(
            group.Key, group.Count(), group.Sum(static one => (long)one.Stored.WireBytes), StoredResource.HeldBytes(group.Select(static one => one.Stored)),
            compiled.TryGetValue(group.Key, out long bytes) ? bytes : group.Sum(static one => CompiledSize.OfNamed(one.Key, one.Stored.WireBytes))))];

    public void RecordBootstrap(IMessage bootstrap)
    {
        lock (_access)
        {
            (_bootstrap, _bootstrapUpdated) = (bootstrap, time.GetUtcNow());
        }
    }

    /// <summary>Notes an applied update: what is held as running, what was dropped as gone, what has errors as refused.</summary>
    public void Record(ResourceUpdate update, AppliedUpdate applied)
    {
        IReadOnlyList<StoredResource?> held = Keep(update.TypeUrl, applied.Held);
        IReadOnlyList<StoredResource?> refused = Keep(update.TypeUrl, applied.Refused);
        DateTimeOffset now = time.GetUtcNow();
        lock (_access)
        {
            foreach (string name in applied.Dropped)
            {
                _running.Remove(ResourceKey.Of(update.TypeUrl, update.Source, name));
                _rejected.Remove(ResourceKey.Of(update.TypeUrl, update.Source, name));
            }

            for (int i = 0; i < held.Count; i++)
            {
                string name = applied.Held[i].Name;
                RunningResource runs = new(update.TypeUrl, name, update.VersionOf(name), update.Source, now, held[i]!);
                _running[runs.Key] = runs;
                _rejected.Remove(runs.Key);
            }

            ForgetRejected(update);

            for (int i = 0; i < refused.Count; i++)
            {
                string name = applied.Refused[i].Name;
                string key = $"{TypeUrls.ShortName(update.TypeUrl)}/{name}";
                List<ConfigIssue> reasons = [.. update.Issues.Issues.Where(issue => issue.Severity == IssueSeverity.Error && issue.Resource == key)];
                RejectedResource rejected = new(update.TypeUrl, name, update.VersionOf(name), update.Source, now, reasons, refused[i]);
                _rejected[rejected.Key] = rejected;
            }

            RecordWhole(update);
            if (update.Version.Length > 0 && !update.Issues.HasErrors)
            {
                _versions[update.TypeUrl] = update.Version;
            }
        }
    }

    /// <summary>Notes the resources that are asked for by name.</summary>
    public void RecordRequested(IReadOnlyList<ResourceKey> requested)
    {
        lock (_access)
        {
            _requested = requested;
        }
    }

    /// <summary>Notes which listeners could not be opened at the last try; those not named are open.</summary>
    public void RecordBinding(IReadOnlyList<ListenerFailure> failures)
    {
        lock (_access)
        {
            _unbound = failures.GroupBy(static one => one.Resource, StringComparer.Ordinal).ToDictionary(
                static group => group.Key,
                group => new BindingFailure(string.Join('\n', group.Select(static one => one.Reason)), time.GetUtcNow()),
                StringComparer.Ordinal);
        }
    }

    /// <summary>Why a listener could not be opened at the last try; null when it is open.</summary>
    public string? WhyUnbound(string listener)
    {
        lock (_access)
        {
            return _unbound.GetValueOrDefault(listener)?.Reason;
        }
    }

    /// <summary>Writes Envoy's <c>ConfigDump</c>: an object with <c>configs</c>.</summary>
    /// <param name="writer">Takes the object; the caller flushes.</param>
    /// <param name="resource">Name of a list (<c>dynamic_listeners</c>, <c>static_clusters</c>, ...) to show alone; null for all.</param>
    /// <param name="nameRegex">Shows only resources whose whole name matches; null for all.</param>
    /// <exception cref="ArgumentException"><paramref name="nameRegex"/> is not a regular expression.</exception>
    public void WriteDump(Utf8JsonWriter writer, string? resource, string? nameRegex)
    {
        // Non-backtracking: the pattern comes with a request, and must not cost more than its length.
        Regex? names = nameRegex is null ? null : new Regex($"^(?:{nameRegex})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        ConfigDumpWriter dump;
        IMessage? bootstrap;
        DateTimeOffset updated;
        RunningResource[] running;
        RejectedResource[] rejected;
        lock (_access)
        {
            // Unpacking thousands of resources takes seconds, which no update has to wait.
            dump = new ConfigDumpWriter(writer, resource, name => names?.IsMatch(name) ?? true)
            {
                Versions = new Dictionary<string, string>(_versions), Unbound = _unbound, Requested = _requested,
            };
            (bootstrap, updated) = (_bootstrap, _bootstrapUpdated);
            (running, rejected) = ([.. _running.Values], [.. _rejected.Values]);
        }

        dump.Write(bootstrap, updated, running, rejected);
    }

    /// <summary>In the order of <paramref name="resources"/>; null for what could not be read.</summary>
    private static List<StoredResource?> Keep(string typeUrl, IReadOnlyList<NamedResource> resources)
    {
        using IEnumerator<StoredResource> kept = StoredResource.Keep(typeUrl, [.. resources.Select(static one => one.Offered).OfType<OfferedResource>()]).GetEnumerator();
        return [.. resources.Select(one => one.Offered is not null && kept.MoveNext() ? kept.Current : null)];
    }

    /// <summary>A refused resource that its source does not give any more is forgotten, and one without a name with the next update.</summary>
    private void ForgetRejected(ResourceUpdate update)
    {
        bool whole = update.Complete && update.TypeUrl is TypeUrls.Listener or TypeUrls.Cluster && !update.Issues.HasErrorsOutsideResources;
        HashSet<string> given = whole ? [.. update.Resources.Select(static one => one.Name), .. update.Renewed] : [];
        foreach (RejectedResource old in _rejected.Values.Where(one => one.TypeUrl == update.TypeUrl && one.Source == update.Source).ToList())
        {
            bool isWhole = old.Name == NameOfWhole(update.Source);
            if (!isWhole && (OfferedResource.IsPlace(old.Name) || update.Removed.Contains(old.Name) || (whole && !given.Contains(old.Name))))
            {
                _rejected.Remove(old.Key);
            }
        }
    }

    private static string NameOfWhole(string source) => "source " + source;

    /// <summary>Errors outside of every resource refuse the update as a whole; they are kept under the source's name.</summary>
    private void RecordWhole(ResourceUpdate update)
    {
        var key = ResourceKey.Of(update.TypeUrl, update.Source, NameOfWhole(update.Source));
        if (!update.Issues.HasErrorsOutsideResources)
        {
            _rejected.Remove(key);
            return;
        }

        List<ConfigIssue> reasons = [.. update.Issues.Issues.Where(issue => issue is { Severity: IssueSeverity.Error, Resource: null })];
        _rejected[key] = new(update.TypeUrl, key.Name, update.Version, update.Source, time.GetUtcNow(), reasons, null);
    }
}
