using MeshL4.Interceptor.Linux;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Two network namespaces joined by a veth pair: the pod (10.77.0.2, fd77::2) and the outside (10.77.0.1, fd77::1). Root only.</summary>
internal sealed class Pod : IDisposable
{
    public const string Ip = "10.77.0.2";
    public const string Ip6 = "fd77::2";
    public const string OutsideIp = "10.77.0.1";
    public const string OutsideIp6 = "fd77::1";

    private readonly string _id = Guid.NewGuid().ToString("N")[..8];

    public Pod()
    {
        Run.Must("ip", "netns", "add", Name);
        Run.Must("ip", "netns", "add", Outside);
        Run.Must("ip", "link", "add", "eth0", "netns", Name, "type", "veth", "peer", "name", "eth0", "netns", Outside);
        foreach ((string ns, string v4, string v6) in new[] { (Name, Ip, Ip6), (Outside, OutsideIp, OutsideIp6) })
        {
            Run.Must("ip", "-n", ns, "link", "set", "lo", "up");
            Run.Must("ip", "-n", ns, "addr", "add", v4 + "/24", "dev", "eth0");
            Run.Must("ip", "-n", ns, "addr", "add", v6 + "/64", "dev", "eth0", "nodad");
            Run.Must("ip", "-n", ns, "link", "set", "eth0", "up");
        }
    }

    public string Name => $"ml4p-{_id}";

    public string Outside => $"ml4o-{_id}";

    /// <summary>Runs a program in the pod; the test fails when it does.</summary>
    public string Exec(params string[] command) => Run.Must("ip", ["netns", "exec", Name, .. command]);

    /// <summary>Writes the rules with the real init container's program.</summary>
    public void Init(params string[] flags) => Exec([Path.Combine(AppContext.BaseDirectory, "meshl4-init"), .. flags]);

    /// <summary>Runs a function on a thread of its own inside a namespace; sockets it makes stay there.</summary>
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
        if (failed is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failed);
        }

        return result;
    }

    public void Dispose()
    {
        Run.Must("ip", "netns", "del", Name);
        Run.Must("ip", "netns", "del", Outside);
    }
}
