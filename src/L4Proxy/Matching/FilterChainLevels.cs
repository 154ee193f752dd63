using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Matching;

/// <summary>Step 3: server names.</summary>
internal sealed class NameLevel
{
    public ServerNameTable<TransportLevel> Names { get; } = new();
}

/// <summary>Step 4: transport protocol.</summary>
internal sealed class TransportLevel
{
    public KeyedTable<string, ProtocolLevel> Transports { get; } = new();
}

/// <summary>Step 5: application protocols.</summary>
internal sealed class ProtocolLevel
{
    public KeyedTable<string, DirectLevel> Protocols { get; } = new();
}

/// <summary>Step 6: the peer's address.</summary>
internal sealed class DirectLevel
{
    public PrefixTable<SourceTypeLevel> Sources { get; } = new();
}

/// <summary>Step 7: local or external source; each with step 8, the client's address.</summary>
internal sealed class SourceTypeLevel
{
    private PrefixTable<PortLevel>? _any;
    private PrefixTable<PortLevel>? _local;
    private PrefixTable<PortLevel>? _external;

    public PrefixTable<PortLevel> GetOrAdd(SourceType type) => type switch
    {
        SourceType.SameIpOrLoopback => _local ??= new(),
        SourceType.External => _external ??= new(),
        _ => _any ??= new(),
    };

    public PrefixTable<PortLevel>? Find(in MatchInput input)
    {
        if (_local is null && _external is null)
        {
            return _any;
        }

        return (IsSameIpOrLoopback(input) ? _local : _external) ?? _any;
    }

    /// <summary>The client's address is the destination's or a loopback one; Unix sockets are local.</summary>
    internal static bool IsSameIpOrLoopback(in MatchInput input)
    {
        if (input.Source is not { } source || input.Destination is not { } destination)
        {
            return true;
        }

        return IPAddress.IsLoopback(source.Address)
            || AddressBits.From(source.Address) == AddressBits.From(destination.Address);
    }
}

/// <summary>Step 9: the client's port.</summary>
internal sealed class PortLevel
{
    public KeyedTable<int, ChainLeaf> Ports { get; } = new();
}

/// <summary>Where the search ends: the chain's index, or -1 while none is set.</summary>
internal sealed class ChainLeaf
{
    public int Chain { get; set; } = -1;
}
