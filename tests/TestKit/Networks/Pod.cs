using System.Net;
using System.Net.Sockets;

namespace MeshL4.TestKit.Networks;

/// <summary>Two network namespaces joined by a veth pair: the pod (10.77.0.2, fd77::2) and the outside (10.77.0.1, fd77::1). Root only.</summary>
internal sealed class Pod : IDisposable
{
    public const string Ip = "10.77.0.2";
    public const string Ip6 = "fd77::2";
    public const string OutsideIp = "10.77.0.1";
    public const string OutsideIp6 = "fd77::1";

    private static readonly TimeSpan AcceptLimit = TimeSpan.FromSeconds(60);

    private readonly NetworkNamespace _pod = new("ml4p");
    private readonly NetworkNamespace _outside = new("ml4o");

    public Pod() => NetworkNamespace.Join(("eth0", _pod, [$"{Ip}/24", $"{Ip6}/64"]), ("eth0", _outside, [$"{OutsideIp}/24", $"{OutsideIp6}/64"]));

    public string Name => _pod.Name;

    public string Outside => _outside.Name;

    /// <summary>Runs a program in the pod; the test fails when it does.</summary>
    public string Exec(params string[] command) => _pod.Exec(command);

    /// <summary>Runs a function on a thread of its own inside a namespace; sockets it makes stay there.</summary>
    public static T In<T>(string ns, Func<T> body) => NetworkNamespace.In(ns, body);

    /// <summary>The same in the pod.</summary>
    public T In<T>(Func<T> body) => In(Name, body);

    /// <summary>A listening socket in a namespace that takes both families.</summary>
    public static Socket Listen(string ns, int port) => In(ns, () =>
    {
        var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        socket.Listen(16);
        return socket;
    });

    /// <summary>Connects from a namespace as root.</summary>
    public static Socket Connect(string ns, string address, int port) => In(ns, () =>
    {
        IPAddress to = IPAddress.Parse(address);
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(to, port);
        return socket;
    });

    /// <summary>Connects from the pod as another user and group, and closes.</summary>
    public void ConnectAs(uint uid, uint gid, string address, int port) => Exec("setpriv", "--reuid", $"{uid}", "--regid", $"{gid}", "--clear-groups",
        "socat", "-u", "OPEN:/dev/null", $"TCP:{(address.Contains(':') ? $"[{address}]" : address)}:{port}");

    /// <summary>Accepts one connection, within ten seconds.</summary>
    public static Socket Accept(Socket listener) =>
        listener.Poll(AcceptLimit, SelectMode.SelectRead) ? listener.Accept() : throw new TimeoutException("no connection arrived");

    public void Dispose()
    {
        _pod.Dispose();
        _outside.Dispose();
    }
}
