using System.Globalization;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>Policy routing as arguments of ip(8), one line each.</summary>
internal static class PolicyRoutes
{
    /// <summary>Routing protocol number that rules and routes of ours carry: it tells them from everybody else's.</summary>
    public const int Protocol = 153;

    /// <summary>The lines to add, without "add": the address, then routes, then rules, so that no mark leads to an empty table.</summary>
    public static IReadOnlyList<string> Lines(PolicyRouting routing) =>
    [
        .. routing.Passthrough ? [Address] : Array.Empty<string>(),
        .. routing.Marks.Count == 0 ? [] : routing.Families.Select(f => Route(f, routing.Table)),
        .. routing.Families.SelectMany(f => routing.Marks.Select(m => Rule(f, m, routing.Table))),
    ];

    /// <summary>The same as commands for a shell, each a comment of nft's and of iptables-restore's: scripts of rules do not work without.</summary>
    public static string Comments(PolicyRouting routing) => string.Concat(Lines(routing)
        .Select(l => l.Split(' ', 3)).Select(words => $"# ip {words[0]} {words[1]} add {words[2]}\n"));

    /// <summary>::6 on lo. Addresses carry no protocol number for every version of ip; a flag that changes nothing for a single address
    /// tells ours.</summary>
    public const string Address = $"-6 addr {PolicyRouting.PassthroughAddress} dev lo nodad noprefixroute";

    /// <summary>Every address of a family is local.</summary>
    public static string Route(AddressFamily family, int table) =>
        string.Create(CultureInfo.InvariantCulture, $"{Flag(family)} route local default dev lo table {table} proto {Protocol}");

    /// <summary>A mark leads to the table.</summary>
    public static string Rule(AddressFamily family, uint mark, int table) =>
        string.Create(CultureInfo.InvariantCulture, $"{Flag(family)} rule fwmark 0x{mark:x} lookup {table} protocol {Protocol}");

    private static string Flag(AddressFamily family) => family == AddressFamily.InterNetwork ? "-4" : "-6";
}
