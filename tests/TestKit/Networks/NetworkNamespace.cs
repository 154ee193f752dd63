using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using MeshL4.Interceptor.Linux;

namespace MeshL4.TestKit.Networks;

/// <summary>A named network namespace with lo up, gone when disposed. Root only.</summary>
internal sealed class NetworkNamespace : IDisposable
{
    /// <summary>Makes it, under a name that nobody else has.</summary>
    /// <param name="role">First part of the name, so that a listing says what it is for.</param>
    public NetworkNamespace(string role)
    {
        Name = $"{role}-{Guid.NewGuid().ToString("N")[..8]}";
        Run.Must("ip", "netns", "add", Name);
        Ip("link set lo up");
    }

    /// <summary>The name that ip(8) knows it by.</summary>
    public string Name { get; }

    /// <summary>Runs a function on a thread of its own inside a namespace; sockets it makes stay there.</summary>
    public static T In<T>(string ns, Func<T> body)
    {
        T result = default!;
        ExceptionDispatchInfo? failed = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter(ns);
                result = body();
            }
            catch (Exception e)
            {
                failed = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failed?.Throw();
        return result;
    }

    /// <summary>Moves the calling thread into a namespace, for good.</summary>
    public static void Enter(string ns) => Namespaces.EnterNetwork($"/run/netns/{ns}");

    /// <summary>Commands of ip(8) in this namespace, all in one process.</summary>
    public void Ip(params string[] commands) => Run.Feed("ip", string.Join('\n', commands) + "\n", "-n", Name, "-batch", "-");

    /// <summary>The same for commands that mean IPv4 unless told otherwise.</summary>
    public void Ip6(params string[] commands) => Run.Feed("ip", string.Join('\n', commands) + "\n", "-6", "-n", Name, "-batch", "-");

    /// <summary>Runs a program here; throws when it fails.</summary>
    public string Exec(params string[] command) => Run.Must("ip", ["netns", "exec", Name, .. command]);

    /// <summary>Joins two namespaces with a veth pair; both ends are up, have these addresses and know each other's hardware address: the
    /// kernel takes up to a second until a new link answers neighbour solicitations.</summary>
    /// <param name="left">Interface, namespace and addresses with their prefix lengths, of one end.</param>
    /// <param name="right">The same of the other.</param>
    public static void Join(
        (string Interface, NetworkNamespace Namespace, string[] Addresses) left, (string Interface, NetworkNamespace Namespace, string[] Addresses) right)
    {
        const string leftHardware = "02:00:00:00:00:01", rightHardware = "02:00:00:00:00:02";
        Run.Must("ip", "link", "add", left.Interface, "address", leftHardware, "netns", left.Namespace.Name,
            "type", "veth", "peer", "name", right.Interface, "address", rightHardware, "netns", right.Namespace.Name);
        foreach (((string link, NetworkNamespace ns, string[] addresses), string[] peers, string hardware) in
            new[] { (left, right.Addresses, rightHardware), (right, left.Addresses, leftHardware) })
        {
            ns.Ip([
                .. addresses.Select(a => $"addr add {a} dev {link}{(a.Contains(':') ? " nodad" : "")}"), $"link set {link} up",
                .. peers.Select(p => $"neigh add {p.Split('/')[0]} lladdr {hardware} dev {link} nud permanent")]);
        }

        AwaitLocalRoutes(left.Namespace, left.Addresses);
        AwaitLocalRoutes(right.Namespace, right.Addresses);
    }

    /// <summary>The kernel makes the local route of an IPv6 address, and lets the address be a source, some time after it was added: when the link's
    /// other end is up, and behind a lock of the whole machine. Until then a connection to it, or from it, fails.</summary>
    public static void AwaitLocalRoutes(NetworkNamespace ns, params string[] addresses) => In(ns.Name, () =>
    {
        const uint local = 0x80000000; // linux/ipv6_route.h
        string[] wanted =
        [
            .. addresses.Select(a => IPAddress.Parse(a.Split('/')[0])).Where(a => a.AddressFamily == AddressFamily.InterNetworkV6).Select(a => Convert.ToHexStringLower(a.GetAddressBytes())),
        ];
        bool All()
        {
            string[] routed =
            [
                .. File.ReadLines("/proc/thread-self/net/ipv6_route").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                    .Where(r => (uint.Parse(r[8], NumberStyles.HexNumber, CultureInfo.InvariantCulture) & local) != 0).Select(r => r[0]),
            ];
            return wanted.All(routed.Contains);
        }

        return SpinWait.SpinUntil(All, Patience.Limit) ? true : throw new TimeoutException($"no local routes to {string.Join(", ", addresses)}");
    });

    public void Dispose() => Run.Must("ip", "netns", "del", Name);
}
