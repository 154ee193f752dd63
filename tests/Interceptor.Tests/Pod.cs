using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Linux;
using Shouldly;

namespace MeshL4.Interceptor.Tests;

/// <summary>Two network namespaces joined by a veth pair: the pod (10.77.0.2, fd77::2) and a client (10.77.0.1, fd77::1). Root only.</summary>
internal sealed class Pod : IDisposable
{
    private readonly CommandRunner _runner = new();
    private readonly string _id = Guid.NewGuid().ToString("N")[..8];

    public Pod()
    {
        Must("ip", "netns", "add", Name);
        Must("ip", "netns", "add", Client);
        Must("ip", "link", "add", "eth0", "netns", Name, "type", "veth", "peer", "name", "eth0", "netns", Client);
        foreach ((string ns, string host) in new[] { (Name, "2"), (Client, "1") })
        {
            Must("ip", "-n", ns, "link", "set", "lo", "up");
            Must("ip", "-n", ns, "addr", "add", $"10.77.0.{host}/24", "dev", "eth0");
            Must("ip", "-n", ns, "addr", "add", $"fd77::{host}/64", "dev", "eth0", "nodad");
            Must("ip", "-n", ns, "link", "set", "eth0", "up");
        }
    }

    public string Name => $"ml4p-{_id}";

    public string Client => $"ml4c-{_id}";

    /// <summary>Runs a program in the pod; the test fails when it does.</summary>
    public string Exec(params string[] command) => Must("ip", ["netns", "exec", Name, .. command]);

    /// <summary>Runs a function on a thread of its own inside a namespace.</summary>
    public static T In<T>(string ns, Func<T> body)
    {
        T result = default!;
        Exception? failed = null;
        var thread = new Thread(() =>
        {
            try
            {
                Namespaces.EnterNetwork($"/run/netns/{ns}");
                result = body();
            }
            catch (Exception e)
            {
                failed = e;
            }
        });
        thread.Start();
        thread.Join();
        return failed is null ? result : throw new InvalidOperationException(failed.Message, failed);
    }

    public T In<T>(Func<T> body) => In(Name, body);

    /// <summary>Applies rules in the pod the way the init container does.</summary>
    public SetOutcome Apply(params (string, string)[] flags) => In(() => Setter(flags).Apply(Interceptor.Plan.RedirectPlanner.Plan(Flags.Options(flags))));

    public RuleSetter Setter(params (string, string)[] flags) => new(_runner, Flags.Options(flags));

    /// <summary>A listening socket in the pod (or client) that takes both families.</summary>
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
    public static Socket Accept(Socket listener)
    {
        listener.Poll(TimeSpan.FromSeconds(10), SelectMode.SelectRead).ShouldBeTrue("no connection arrived");
        return listener.Accept();
    }

    public void Dispose()
    {
        _runner.Run("ip", ["netns", "del", Name]);
        _runner.Run("ip", ["netns", "del", Client]);
    }

    private string Must(string program, params string[] arguments)
    {
        CommandResult result = _runner.Run(program, arguments);
        result.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}: {result.Error}");
        return result.Output;
    }
}
