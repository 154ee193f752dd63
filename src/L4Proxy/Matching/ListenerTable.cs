using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Matching;

/// <summary>
/// Finds the listener that owns an original destination, for hand-over from a listener with <c>use_original_dst</c>.
/// By address TCP listeners on IP addresses only; of two with the same address the first in the list stays. Immutable.
/// </summary>
internal sealed class ListenerTable
{
    private static readonly ConditionalWeakTable<ListenerSnapshot[], ListenerTable> Compiled = new();

    private readonly Dictionary<(AddressBits Address, int Port), ListenerSnapshot> _byAddress = [];
    private readonly Dictionary<string, ListenerSnapshot> _byName = new(StringComparer.Ordinal);

    public ListenerTable(ImmutableArray<ListenerSnapshot> listeners)
    {
        foreach (ListenerSnapshot listener in listeners)
        {
            _byName.TryAdd(listener.Name, listener);
            if (!listener.IsUdp && listener.Address is IPEndPoint address)
            {
                _byAddress.TryAdd((AddressBits.From(address.Address), address.Port), listener);
            }
        }
    }

    /// <summary>The table of a snapshot's listeners, built on first use; any thread. Snapshots with the same list share it.</summary>
    public static ListenerTable For(ProxySnapshot snapshot) => Compiled.GetValue(
        ImmutableCollectionsMarshal.AsArray(snapshot.Listeners)!, static listeners => new ListenerTable([.. listeners]));

    /// <summary>
    /// Exact ip:port, then the family's wildcard address with that port, then for IPv4 also <c>[::]:port</c>. Null when
    /// none owns it. The capturing listener itself can be the answer (a connection made to its own port).
    /// </summary>
    public ListenerSnapshot? Find(IPEndPoint destination)
    {
        AddressBits address = AddressBits.From(destination.Address);
        return At(address, destination.Port)
            ?? At(new AddressBits(0, address.IsV6), destination.Port)
            ?? (address.IsV6 ? null : At(new AddressBits(0, true), destination.Port));
    }

    /// <summary>
    /// The listener as this snapshot has it. An accepting socket is told of its listener a moment after a swap: what it knows may name
    /// clusters that the snapshot has no more.
    /// </summary>
    /// <param name="accepting">As the socket knows it; also the answer when the snapshot has none of that name and address.</param>
    public ListenerSnapshot Newest(ListenerSnapshot accepting)
        => _byName.TryGetValue(accepting.Name, out ListenerSnapshot? newest) && newest.Address.Equals(accepting.Address) ? newest : accepting;

    /// <summary>The listener of a name; null when there is none.</summary>
    public ListenerSnapshot? Named(string name) => _byName.GetValueOrDefault(name);

    private ListenerSnapshot? At(AddressBits address, int port) => _byAddress.GetValueOrDefault((address, port));
}
