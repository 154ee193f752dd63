using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Init;

/// <summary>explain's flags to a packet.</summary>
internal static class PacketReader
{
    /// <summary>Reads the packet; adds to <paramref name="errors"/> and returns null when a flag is wrong.</summary>
    public static Packet? Read(Invocation call, List<string> errors)
    {
        int before = errors.Count;
        IPEndPoint? destination = null;
        if (!call.Extra.TryGetValue("dst", out string? dst))
        {
            errors.Add("explain: --dst ADDRESS:PORT is needed");
        }
        else if (EntryParser.Endpoint(dst, out destination) is string wrong)
        {
            errors.Add($"--dst '{dst}': {wrong}");
        }

        string protocol = call.Extra.GetValueOrDefault("proto", "tcp");
        if (protocol is not ("tcp" or "udp"))
        {
            errors.Add($"--proto '{protocol}': must be tcp or udp");
        }

        if (call.Extra.TryGetValue("interface", out string? name) && (!EntryParser.IsInterface(name) || name.EndsWith('+')))
        {
            errors.Add($"--interface '{name}': not an interface name");
        }

        IPAddress? source = Source(call, destination, errors);
        uint uid = Id(call, "uid", errors);
        uint gid = Id(call, "gid", errors);
        uint mark = Id(call, "mark", errors);
        return errors.Count > before ? null : new Packet
        {
            Inbound = call.Inbound,
            Interface = name ?? (!call.Inbound && IsHere(destination!.Address) ? "lo" : "eth0"),
            Transport = protocol == "tcp" ? Transports.Tcp : Transports.Udp,
            Source = source!,
            Destination = destination!.Address,
            DestinationPort = destination.Port,
            Uid = uid,
            Gid = gid,
            Mark = mark,
            Forwarded = call.Forwarded,
        };
    }

    // What is sent to an address of the pod itself does not leave it, and other rules hold for it.
    private static bool IsHere(IPAddress address) => IPAddress.IsLoopback(address)
        || NetworkInterface.GetAllNetworkInterfaces().Any(i => i.GetIPProperties().UnicastAddresses.Any(a => a.Address.Equals(address)));

    private static IPAddress? Source(Invocation call, IPEndPoint? destination, List<string> errors)
    {
        bool v6 = destination?.AddressFamily == AddressFamily.InterNetworkV6;
        if (!call.Extra.TryGetValue("src", out string? text))
        {
            return v6 ? IPAddress.IPv6Any : IPAddress.Any;
        }

        // Strict as the lists are: [::1]:443 would lose its port.
        IPAddress? source = EntryParser.TryAddress(text, out IPNetwork block) ? block.BaseAddress : null;
        if (source is null)
        {
            errors.Add($"--src '{text}': not an address (10.0.0.5 or 2001:db8::5, without brackets or port)");
        }
        else if (destination is not null && source.AddressFamily != destination.AddressFamily)
        {
            errors.Add($"--src '{text}': not of the family of --dst");
        }

        return source;
    }

    private static uint Id(Invocation call, string flag, List<string> errors)
    {
        if (!call.Extra.TryGetValue(flag, out string? text))
        {
            return 0;
        }

        if (!EntryParser.TryId(text, out uint id))
        {
            errors.Add($"--{flag} '{text}': not a number");
        }

        return id;
    }
}
