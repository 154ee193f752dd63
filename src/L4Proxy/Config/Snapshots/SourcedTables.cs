using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// Resources of one type that others name together with where they come from. Each source has a table of its own: equal names of two
/// control planes are two resources, and neither replaces or removes the other. Not safe for several threads.
/// </summary>
/// <param name="typeUrl">One of <see cref="TypeUrls"/>.</param>
/// <param name="nameOf">Name of a message; empty is an error.</param>
/// <param name="decode">Compiles a message of a source; errors go to the scope.</param>
internal sealed class SourcedTables<T>(string typeUrl, Func<IMessage, string> nameOf, Func<string, IMessage, DecodeScope, T> decode)
{
    private readonly Dictionary<string, ResourceTable<T>> _bySource = new(StringComparer.Ordinal);

    /// <summary>As <see cref="ResourceTable{T}.Carry"/>.</summary>
    public Func<T, T, T>? Carry { get; init; }

    /// <summary>Takes an update of its source. Absence removes nothing.</summary>
    public AppliedUpdate Apply(ResourceUpdate update)
    {
        string source = update.Source;
        ResourceTable<T> table = _bySource.GetValueOrDefault(source)
            ?? new ResourceTable<T>(typeUrl, nameOf, (message, scope) => decode(source, message, scope), absenceRemoves: false) { Carry = Carry };
        AppliedUpdate applied = table.Apply(update);
        if (table.Held.Count > 0)
        {
            _bySource[source] = table;
        }
        else
        {
            _bySource.Remove(source);
        }

        return applied;
    }

    /// <summary>The resource of a source; null when it does not run.</summary>
    public HeldResource<T>? Find(string source, string name)
        => _bySource.TryGetValue(source, out ResourceTable<T>? table) ? table.Held.GetValueOrDefault(name) : null;
}
