using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>What the choice of probes depends on besides the plan.</summary>
internal sealed record ProbeSite
{
    // Ids that no image gives to a proxy, for the case that we run as the proxy ourselves.
    private const uint FirstStrangerId = 61000;

    /// <summary>Who we are.</summary>
    public required Identity Self { get; init; }

    /// <summary>Who stands for the applications of the pod.</summary>
    public required Identity Application { get; init; }

    /// <summary>Addresses of the pod, but for loopback.</summary>
    public required IReadOnlySet<IPAddress> Addresses { get; init; }

    /// <summary>Names of the pod's interfaces.</summary>
    public required IReadOnlySet<string> Interfaces { get; init; }

    /// <summary>A port that is called and, when it is to be captured, not listened on.</summary>
    public required int ProbePort { get; init; }

    /// <summary>The port on which the verification itself plays the application.</summary>
    public int ApplicationPort => RedirectOptions.ApplicationPort(ProbePort);

    /// <summary>Can interfaces be made here? Without them only traffic inside the pod can be shown.</summary>
    public required bool CanMakeLinks { get; init; }

    /// <summary>Is the loopback interface up? Rules that redirect lead through it, and a namespace without it is no pod yet.</summary>
    public required bool HasLoopback { get; init; }

    /// <summary>An address of ours that the pod has already, or null.</summary>
    public IPAddress? Collision => new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 }
        .SelectMany(f => Enumerable.Range(0, ProbeLink.Most).Select(i => new ProbeLink(i, "").Address(f)).Append(ProbeLink.Outside(f)))
        .FirstOrDefault(Addresses.Contains);

    /// <summary>An address of the pod that is not loopback to the rules: that of the ordinary pair, or else one of the pod's own, or else the
    /// loopback address of the proxy; null when there is none.</summary>
    public IPAddress? Own(AddressFamily family) => CanMakeLinks
        ? ProbeLink.Ordinary.Address(family)
        : Addresses.FirstOrDefault(a => a.AddressFamily == family) ?? (family == AddressFamily.InterNetwork ? ProbePlanner.PassthroughAddress : null);

    /// <summary>The pod as it is.</summary>
    public static ProbeSite Look(RedirectOptions options)
    {
        var self = new Identity(Credentials.Uid, Credentials.Gid);
        NetworkInterface[] present = [.. NetworkInterface.GetAllNetworkInterfaces()];
        return new ProbeSite
        {
            Self = self,
            Application = ApplicationOf(options, self),
            Addresses = present.SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)
                .Where(a => !IPAddress.IsLoopback(a) && !a.IsIPv6LinkLocal).ToHashSet(),
            Interfaces = present.Select(i => i.Name).ToHashSet(),
            ProbePort = options.ProbePort,
            HasLoopback = present.Any(i => i.NetworkInterfaceType == NetworkInterfaceType.Loopback && i.OperationalStatus != OperationalStatus.Down),
            CanMakeLinks = Credentials.Holds(Credentials.NetAdmin),
        };
    }

    /// <summary>Ourselves when we are not the proxy: that needs no capability. Otherwise ids that mean nothing to the rules.</summary>
    internal static Identity ApplicationOf(RedirectOptions options, Identity own) =>
        new(Stranger(own.Uid, uid => options.ProxyUids.Contains(uid) || options.UserExclusions.Any(e => e.Users.Any(u => u.First <= uid && uid <= u.Last))),
            GroupOf(options, own.Gid));

    /// <summary>A group that no rule names.</summary>
    internal static uint StrangerGroup(RedirectOptions options) => Stranger(FirstStrangerId, gid => IsNamed(options, gid) || options.OwnerGroups?.Contains(gid) == true);

    // Where only some groups are captured, an application is of one of them.
    private static uint GroupOf(RedirectOptions options, uint own) => options.OwnerGroups is { Count: > 0 } wanted
        ? wanted.OrderByDescending(g => g == own).FirstOrDefault(g => !IsNamed(options, g), wanted[0])
        : Stranger(own, gid => IsNamed(options, gid));

    private static bool IsNamed(RedirectOptions options, uint gid) => options.ProxyGids.Contains(gid) || options.ExcludedOwnerGroups.Contains(gid);

    private static uint Stranger(uint own, Func<uint, bool> isNamed)
    {
        if (!isNamed(own))
        {
            return own;
        }

        uint id = FirstStrangerId;
        while (isNamed(id))
        {
            id++;
        }

        return id;
    }
}
