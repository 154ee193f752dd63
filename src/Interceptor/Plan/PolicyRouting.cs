using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Marked packets go to a routing table in which every address is local: what TPROXY needs for addresses that the pod does
/// not have.</summary>
/// <param name="Table">Number of the routing table.</param>
/// <param name="Marks">Marks that lead to it.</param>
/// <param name="Families">Families it is set up for.</param>
/// <param name="Passthrough">Is ::6 to be an address of lo? All of 127.0.0.0/8 is there by itself, its IPv6 twin is not, and what the
/// proxy hands to the application comes from there in every mode.</param>
internal sealed record PolicyRouting(int Table, IReadOnlyList<uint> Marks, IReadOnlyList<AddressFamily> Families, bool Passthrough)
{
    /// <summary>The address from which the proxy hands inbound IPv6 connections to the application.</summary>
    public const string PassthroughAddress = "::6/128";

    /// <summary>Is there nothing to set up?</summary>
    public bool IsEmpty => Marks.Count == 0 && !Passthrough;

    /// <summary>Does a packet with <paramref name="mark"/> come back by lo?</summary>
    public bool LeadsHome(uint mark) => mark != 0 && Marks.Contains(mark);
}
