namespace MeshL4.L4Proxy.Config;

/// <summary>
/// Tells resources apart. Clusters and listeners have names of their own in the whole process; what others name together with where it
/// comes from is another resource with each source, whatever its name.
/// </summary>
/// <param name="TypeUrl">One of <see cref="TypeUrls"/>.</param>
/// <param name="Source">Whose it is, as in <see cref="ResourceUpdate.Source"/>; empty for types whose names are unique in the process.</param>
/// <param name="Name">Its name.</param>
internal readonly record struct ResourceKey(string TypeUrl, string Source, string Name)
{
    /// <summary>The key of a resource that came from <paramref name="source"/>.</summary>
    public static ResourceKey Of(string typeUrl, string source, string name)
        => new(typeUrl, typeUrl is TypeUrls.Listener or TypeUrls.Cluster or TypeUrls.NameTable ? "" : source, name);
}
