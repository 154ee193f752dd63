using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>
/// One address belongs to one listener; TCP and UDP are told apart. Port 0 takes any free port and never conflicts. A listener that
/// is not bound may share the address of one that is: it is reached by hand-over.
/// </summary>
internal sealed class ListenerAddresses : IConflictIndex<ImmutableArray<ListenerSnapshot>>
{
    private readonly Dictionary<(bool IsUdp, bool BindToPort, EndPoint Address), string> _owners = [];

    public void Add(string name, ImmutableArray<ListenerSnapshot> resource)
    {
        foreach (ListenerSnapshot one in resource)
        {
            _owners.TryAdd((one.IsUdp, one.BindToPort, one.Address), name);
        }
    }

    public void Check(string name, ImmutableArray<ListenerSnapshot> resource, DecodeScope scope)
    {
        var own = new HashSet<(bool, bool, EndPoint)>();
        foreach (ListenerSnapshot one in resource.Where(static one => one.Address is not IPEndPoint { Port: 0 }))
        {
            (bool, bool, EndPoint) claim = (one.IsUdp, one.BindToPort, one.Address);
            bool taken = _owners.TryGetValue(claim, out string? owner) && owner != name;
            if (taken || !own.Add(claim))
            {
                scope.Field("address").Error($"{one.Address} already belongs to listener '{(taken ? owner : name)}'");
            }
        }
    }
}
