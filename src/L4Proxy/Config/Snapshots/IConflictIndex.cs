using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>What the resources of one type may not have in common, gathered while an update is applied. Each call costs what its resource holds.</summary>
internal interface IConflictIndex<T>
{
    /// <summary>The resource runs on, or is taken.</summary>
    void Add(string name, T resource);

    /// <summary>An error for everything the resource claims that another name has.</summary>
    void Check(string name, T resource, DecodeScope scope);
}
