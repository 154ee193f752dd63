using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>A veth pair with both ends in the pod. Probes leave and enter the pod by the near end; whatever comes out of the far end
/// has left the pod and goes nowhere else.</summary>
/// <param name="Index">Which of the pairs: it makes names, addresses and numbers unique.</param>
/// <param name="Near">Name of the end that stands for an interface of the pod.</param>
internal sealed record ProbeLink(int Index, string Near)
{
    /// <summary>How many pairs there can be; left-overs are looked for among so many.</summary>
    public const int Most = RedirectOptions.VerificationTables;

    /// <summary>Where every destination of our own choice lies: documentation blocks (RFC 5737, RFC 3849), nobody's addresses.</summary>
    private const int FirstHost = 130;

    /// <summary>Every far end's name starts with it, and no other interface's does.</summary>
    public const string FarPrefix = "ml4far";

    /// <summary>The pair for ordinary traffic.</summary>
    public static ProbeLink Ordinary { get; } = new(0, "ml4near");

    /// <summary>Name of the other end. Removing it removes the pair, whatever the near end is called.</summary>
    public string Far => $"{FarPrefix}{Index}";

    /// <summary>Routing table of the probes, and the number of the rule that leads there.</summary>
    public int Table => RedirectOptions.FirstVerificationTable + Index;

    /// <summary>Ethernet address of the near end: locally administered.</summary>
    public byte[] NearHardware => [0x02, 0x4d, 0x4c, 0x34, 0, (byte)Index];

    /// <summary>Ethernet address of the far end.</summary>
    public byte[] FarHardware => [0x02, 0x4d, 0x4c, 0x34, 1, (byte)Index];

    /// <summary>The pod's address on this interface.</summary>
    public IPAddress Address(AddressFamily family) => family == AddressFamily.InterNetwork
        ? IPAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"192.0.2.{FirstHost + Index}"))
        : IPAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"2001:db8:6d6c::{FirstHost + Index:x}"));

    /// <summary>A peer outside the pod, for both directions. Nobody serves it.</summary>
    public static IPAddress Outside(AddressFamily family) =>
        IPAddress.Parse(family == AddressFamily.InterNetwork ? "192.0.2.77" : "2001:db8:6d6c::4d");
}
