using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>
/// One address belongs to one listener; TCP and UDP are told apart. Port 0 takes any free port and never conflicts. A listener that
/// is not bound may share the address of one that is: it is reached by hand-over.
/// </summary>
internal static class ListenerAddressRule
{
    public static void Check(ImmutableArray<ListenerSnapshot> listener, IEnumerable<ImmutableArray<ListenerSnapshot>> others, DecodeScope scope)
    {
        var taken = new Dictionary<(bool, bool, EndPoint), string>();
        foreach (ListenerSnapshot other in others.SelectMany(one => one))
        {
            taken.TryAdd((other.IsUdp, other.BindToPort, other.Address), other.Name);
        }

        foreach (ListenerSnapshot own in listener.Where(own => own.Address is not IPEndPoint { Port: 0 }))
        {
            if (!taken.TryAdd((own.IsUdp, own.BindToPort, own.Address), own.Name))
            {
                string owner = taken[(own.IsUdp, own.BindToPort, own.Address)];
                scope.Field("address").Error($"{own.Address} already belongs to listener '{owner}'");
            }
        }
    }
}
