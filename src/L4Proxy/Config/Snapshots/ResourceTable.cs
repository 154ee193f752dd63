using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A resource that runs: what it compiled to, and a fingerprint of the bytes it came in.</summary>
internal sealed record HeldResource<T>(string Name, UInt128 Fingerprint, T Compiled, string Source);

/// <summary>A resource of an update under the name it is known by: its own, that of its address, or its place where it has none.</summary>
/// <param name="Name">The name.</param>
/// <param name="Offered">As sent; null for one that could not be read.</param>
internal readonly record struct NamedResource(string Name, OfferedResource? Offered);

/// <summary>What an update did to the resources of its type.</summary>
/// <param name="Held">Those that now run as sent, also where they ran before.</param>
/// <param name="Refused">Those that do not run, among them what could not be read.</param>
/// <param name="Changed">Names that run otherwise than before.</param>
/// <param name="Dropped">Names that do not run any more.</param>
internal sealed record AppliedUpdate(
    IReadOnlyList<NamedResource> Held, IReadOnlyList<NamedResource> Refused, IReadOnlyList<string> Changed, IReadOnlyList<string> Dropped)
{
    public static readonly AppliedUpdate Nothing = new([], [], [], []);
}

/// <summary>
/// The resources of one type that run, by name. An update takes the good and leaves the bad as they were, and costs what it holds,
/// not what the table holds. Not safe for several threads.
/// </summary>
/// <param name="typeUrl">One of <see cref="TypeUrls"/>.</param>
/// <param name="nameOf">Name of a message; empty is an error.</param>
/// <param name="decode">Compiles a message; errors go to the scope.</param>
/// <param name="absenceRemoves">Whether a complete update removes what it does not name.</param>
internal sealed class ResourceTable<T>(
    string typeUrl, Func<IMessage, string> nameOf, Func<IMessage, DecodeScope, T> decode, bool absenceRemoves)
{
    /// <summary>Source of the bootstrap's own resources.</summary>
    public const string StaticSource = "bootstrap";

    private readonly string _shortName = TypeUrls.ShortName(typeUrl);
    private readonly Dictionary<string, HeldResource<T>> _held = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, HeldResource<T>> Held => _held;

    /// <summary>Grows with every update that changed something.</summary>
    public long Generation { get; private set; }

    /// <summary>Begins a check of the resources of one update against those beside them; null for a type without such a rule.</summary>
    public Func<IConflictIndex<T>>? Conflicts { get; init; }

    /// <summary>Puts parts of the running resource that did not change into the new one; null for a type without such parts.</summary>
    public Func<T, T, T>? Carry { get; init; }

    /// <summary>Told of each resource that runs now in place of another version or of none; null for a type without such a listener.</summary>
    public Action<T>? Accepted { get; init; }

    /// <summary>Takes an update. A resource equal to the running one keeps its compiled object and is not even read.</summary>
    public AppliedUpdate Apply(ResourceUpdate update)
    {
        if (update.Issues.HasErrorsOutsideResources)
        {
            return AppliedUpdate.Nothing;
        }

        var candidates = new Dictionary<string, Candidate>(StringComparer.Ordinal);
        var refused = new List<NamedResource>();
        bool nameless = Read(update, candidates, refused);
        List<string> dropped = Drop(update, candidates, nameless);
        IConflictIndex<T>? index = Conflicts?.Invoke();
        if (index is not null)
        {
            AddOthers(index, update, candidates);
        }

        var good = new List<NamedResource>(candidates.Count);
        var changed = new List<string>();
        foreach ((string name, Candidate candidate) in candidates)
        {
            index?.Check(name, candidate.Resource.Compiled, new DecodeScope(update.Issues, "", null, update.Source).Within(Key(name)));
            Take(update, name, candidate, good, refused, changed);
            if (index is not null && _held.TryGetValue(name, out HeldResource<T>? runs))
            {
                index.Add(name, runs.Compiled);
            }
        }

        Generation += changed.Count + dropped.Count > 0 ? 1 : 0;
        return new AppliedUpdate(good, refused, changed, dropped);
    }

    /// <summary><c>Listener/name</c>, as issues have it.</summary>
    public string Key(string name) => $"{_shortName}/{name}";

    private void AddOthers(IConflictIndex<T> index, ResourceUpdate update, Dictionary<string, Candidate> candidates)
    {
        foreach ((string name, HeldResource<T> held) in _held)
        {
            if (!candidates.ContainsKey(name) || update.Issues.HasErrorsIn(Key(name)))
            {
                index.Add(name, held.Compiled);
            }
        }
    }

    private void Take(
        ResourceUpdate update, string name, Candidate candidate, List<NamedResource> good, List<NamedResource> refused, List<string> changed)
    {
        if (update.Issues.HasErrorsIn(Key(name)))
        {
            refused.Add(new NamedResource(name, candidate.Offered));
            return;
        }

        good.Add(new NamedResource(name, candidate.Offered));
        if (!ReferenceEquals(_held.GetValueOrDefault(name), candidate.Resource))
        {
            _held[name] = candidate.Resource;
            changed.Add(name);
            Accepted?.Invoke(candidate.Resource.Compiled);
        }
    }

    /// <summary>Compiles what the update brings. True when a resource could not be read so far as to know its name.</summary>
    private bool Read(ResourceUpdate update, Dictionary<string, Candidate> candidates, List<NamedResource> refused)
    {
        bool nameless = false;
        for (int i = 0; i < update.Resources.Count; i++)
        {
            OfferedResource offered = update.Resources[i];
            HeldResource<T>? running = _held.GetValueOrDefault(offered.Name);
            bool same = running is not null && running.Source == update.Source && running.Fingerprint == offered.Fingerprint;
            IMessage? message = same ? null : offered.Read(update.Issues);
            if (message is null && !same)
            {
                nameless |= offered.Name.Length == 0;
                refused.Add(new NamedResource(offered.NameOrPlace(i), null));
                continue;
            }

            string own = message is null || offered.Name.Length > 0 ? offered.Name : nameOf(message);
            string name = own.Length > 0 ? running?.Name ?? own : offered.NameOrPlace(i);
            nameless |= own.Length == 0;
            string place = update.PathPrefix.Length > 0 ? $"{update.PathPrefix}[{i}]" : "";
            DecodeScope scope = new DecodeScope(update.Issues, place, null, update.Source).Within(Key(name));
            CheckPresence(own, offered, update, scope);
            CheckName(name, candidates, update, scope);
            if ((same ? running : TryCompile(message!, name, offered.Fingerprint, update.Source, scope)) is { } resource)
            {
                candidates[name] = new Candidate(offered, resource);
            }
            else
            {
                refused.Add(new NamedResource(name, offered));
            }
        }

        return nameless;
    }

    /// <summary>Null, with an error, where a defect of ours is met: it costs this resource, not the update, which would come again and again.</summary>
    private HeldResource<T>? TryCompile(IMessage message, string name, UInt128 fingerprint, string source, DecodeScope scope)
    {
        try
        {
            return Compile(message, name, fingerprint, source, scope);
        }
#pragma warning disable CA1031 // Any defect.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            // No error repeats what is in a secret.
            scope.Error("internal error: " + defect.GetType().Name + (typeUrl == TypeUrls.Secret ? "" : ": " + defect.Message));
            return null;
        }
    }

    private HeldResource<T> Compile(IMessage message, string name, UInt128 fingerprint, string source, DecodeScope scope)
    {
        T compiled = decode(message, scope);
        return new HeldResource<T>(
            name, fingerprint, Carry is not null && _held.TryGetValue(name, out HeldResource<T>? running) ? Carry(compiled, running.Compiled) : compiled, source);
    }

    private static void CheckPresence(string own, OfferedResource offered, ResourceUpdate update, DecodeScope scope)
    {
        if (own.Length == 0)
        {
            scope.Field("name").Error("a name is required");
        }
        else if (offered.Name.Length == 0 && update.Delta)
        {
            scope.Field("name").Error("a name is required: an update of single resources could neither change nor remove it");
        }
    }

    private void CheckName(string name, Dictionary<string, Candidate> candidates, ResourceUpdate update, DecodeScope scope)
    {
        if (candidates.ContainsKey(name))
        {
            scope.Error($"the name '{name}' stands twice: a resource is given once");
        }

        if (_held.TryGetValue(name, out HeldResource<T>? other) && other.Source != update.Source && other.Source == StaticSource)
        {
            scope.Error($"'{name}' is a static resource of the bootstrap and cannot be replaced");
        }
    }

    /// <summary>Removes what the update says is gone, of its own source: by name, or by not naming it. Returns the names.</summary>
    private List<string> Drop(ResourceUpdate update, Dictionary<string, Candidate> candidates, bool nameless)
    {
        var gone = new List<string>();
        gone.AddRange(update.Removed.Where(name => IsOwn(name, update) && !candidates.ContainsKey(name)));

        // What cannot be named cannot be spared: then nothing is taken for gone.
        if (update.Complete && absenceRemoves && !nameless)
        {
            var named = update.Renewed.ToHashSet(StringComparer.Ordinal);
            named.UnionWith(update.Resources.Select(static offered => offered.Name));
            named.UnionWith(candidates.Keys);

            // One that could not be read is not absent: its last good version stays.
            gone.AddRange(_held.Keys.Where(name => !named.Contains(name) && IsOwn(name, update) && !update.Issues.HasErrorsIn(Key(name))));
        }

        gone.RemoveAll(name => !_held.Remove(name));
        return gone;
    }

    private bool IsOwn(string name, ResourceUpdate update) => _held.TryGetValue(name, out HeldResource<T>? held) && held.Source == update.Source;

    private readonly record struct Candidate(OfferedResource Offered, HeldResource<T> Resource);
}
