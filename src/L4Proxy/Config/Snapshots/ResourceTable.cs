using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A resource that runs: the message as sent and what it compiled to.</summary>
internal sealed record HeldResource<T>(string Name, IMessage Message, T Compiled, string Source);

/// <summary>The resources of one type that run, by name in order of arrival. An update takes the good and leaves the bad as they were.</summary>
/// <param name="typeUrl">One of <see cref="TypeUrls"/>.</param>
/// <param name="nameOf">Name of a message; empty is an error.</param>
/// <param name="decode">Compiles a message; errors go to the scope.</param>
/// <param name="absenceRemoves">Whether a complete update removes what it does not name.</param>
internal sealed class ResourceTable<T>(
    string typeUrl, Func<IMessage, string> nameOf, Func<IMessage, DecodeScope, T> decode, bool absenceRemoves)
{
    private readonly string _shortName = TypeUrls.ShortName(typeUrl);
    private Dictionary<string, HeldResource<T>> _held = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, HeldResource<T>> Held => _held;

    /// <summary>Begins a check of the resources of one update against those beside them; null for a type without such a rule.</summary>
    public Func<IConflictIndex<T>>? Conflicts { get; init; }

    /// <summary>Puts parts of the running resource that did not change into the new one; null for a type without such parts.</summary>
    public Func<T, T, T>? Carry { get; init; }

    /// <summary>
    /// Takes an update; returns the names that now run as sent. A message equal to the running one keeps its compiled object, so
    /// that reference equality tells what changed.
    /// </summary>
    public IReadOnlyCollection<string> Apply(ResourceUpdate update)
    {
        if (update.Issues.HasErrorsOutsideResources)
        {
            return [];
        }

        Dictionary<string, HeldResource<T>> candidates = Compile(update);
        Dictionary<string, HeldResource<T>> next = Surviving(update);
        IConflictIndex<T>? index = Conflicts?.Invoke();
        foreach (HeldResource<T> other in next.Values)
        {
            index?.Add(other.Name, other.Compiled);
        }

        foreach ((string name, HeldResource<T> candidate) in candidates)
        {
            DecodeScope scope = new DecodeScope(update.Issues, "", null, update.Source).Within(Key(name));
            index?.Check(name, candidate.Compiled, scope);
            if (!update.Issues.HasErrorsIn(Key(name)))
            {
                next[name] = candidate;
            }
            else if (_held.TryGetValue(name, out HeldResource<T>? before))
            {
                next[name] = before;
            }

            if (next.TryGetValue(name, out HeldResource<T>? runs))
            {
                index?.Add(name, runs.Compiled);
            }
        }

        _held = next;
        return [.. candidates.Keys.Where(name => !update.Issues.HasErrorsIn(Key(name)))];
    }

    /// <summary>Names of what runs from one source.</summary>
    public IReadOnlySet<string> NamesFrom(string source)
        => _held.Values.Where(held => held.Source == source).Select(held => held.Name).ToHashSet(StringComparer.Ordinal);

    /// <summary><c>Listener/name</c>, as issues have it.</summary>
    public string Key(string name) => $"{_shortName}/{name}";

    private Dictionary<string, HeldResource<T>> Compile(ResourceUpdate update)
    {
        var candidates = new Dictionary<string, HeldResource<T>>(StringComparer.Ordinal);
        for (int i = 0; i < update.Resources.Count; i++)
        {
            IMessage message = update.Resources[i];
            string name = nameOf(message);
            string place = update.PathPrefix.Length > 0 ? $"{update.PathPrefix}[{i}]" : "";
            DecodeScope scope = new DecodeScope(update.Issues, place, null, update.Source).Within(Key(name));
            CheckName(name, candidates, update, scope);
            HeldResource<T>? running = _held.GetValueOrDefault(name);
            bool same = running is not null && running.Source == update.Source && running.Message.Equals(message);
            T compiled = same ? running!.Compiled
                : running is not null && Carry is not null ? Carry(decode(message, scope), running.Compiled)
                : decode(message, scope);
            candidates[name] = new HeldResource<T>(name, message, compiled, update.Source);
        }

        return candidates;
    }

    private void CheckName(string name, Dictionary<string, HeldResource<T>> candidates, ResourceUpdate update, DecodeScope scope)
    {
        if (name.Length == 0)
        {
            scope.Field("name").Error("a name is required");
        }

        if (candidates.ContainsKey(name))
        {
            scope.Error($"the name '{name}' stands twice: a resource is given once");
        }

        if (_held.TryGetValue(name, out HeldResource<T>? other) && other.Source != update.Source && other.Source == StaticSource)
        {
            scope.Error($"'{name}' is a static resource of the bootstrap and cannot be replaced");
        }
    }

    /// <summary>What stays whatever becomes of the update's own resources: others' resources, and those it has in error.</summary>
    private Dictionary<string, HeldResource<T>> Surviving(ResourceUpdate update)
    {
        var candidates = update.Resources.Select(nameOf).ToHashSet(StringComparer.Ordinal);
        var named = candidates.ToHashSet(StringComparer.Ordinal);
        named.UnionWith(update.Renewed);
        var removed = update.Removed.ToHashSet(StringComparer.Ordinal);
        var next = new Dictionary<string, HeldResource<T>>(StringComparer.Ordinal);
        foreach ((string name, HeldResource<T> held) in _held)
        {
            // One that could not be read is not absent: its last good version stays.
            bool absent = update.Complete && absenceRemoves && !named.Contains(name) && !update.Issues.HasErrorsIn(Key(name));
            bool own = held.Source == update.Source;
            bool replaced = candidates.Contains(name) && !update.Issues.HasErrorsIn(Key(name));
            if (!replaced && !(own && (absent || removed.Contains(name))))
            {
                next[name] = held;
            }
        }

        return next;
    }

    /// <summary>Source of the bootstrap's own resources.</summary>
    public const string StaticSource = "bootstrap";
}
