using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Cases;

/// <summary>The server behind the subjects of one case.</summary>
internal sealed record Upstream(ChildProcess Server, IReadOnlyList<IPEndPoint> EndPoints) : IAsyncDisposable
{
    /// <summary>A redis-server without persistence on one port of each address.</summary>
    public static async Task<Upstream> StartRedisAsync(CaseContext context, params IPAddress[] addresses)
    {
        var port = Loopback.FreeEndPoint().Port;
        // Protected mode would turn away clients from 127.0.x.y; every bound address is on loopback anyway.
        var server = ChildProcess.Start("redis-server", [
            "--port", $"{port}", "--bind", .. addresses.Select(a => a.ToString()), "--save", "", "--appendonly", "no",
            "--protected-mode", "no", "--maxclients", "12000", "--tcp-backlog", "4096", "--dir", context.Workspace.Path]);
        return await ReadyAsync(server, addresses.Select(a => new IPEndPoint(a, port)).ToArray(), "redis-server", context.Stop);
    }

    /// <summary>An iperf3 server.</summary>
    public static async Task<Upstream> StartIperfAsync(CaseContext context)
    {
        var endPoint = Loopback.FreeEndPoint();
        var server = ChildProcess.Start("iperf3", "-s", "-B", $"{endPoint.Address}", "-p", $"{endPoint.Port}");
        return await ReadyAsync(server, [endPoint], "iperf3", context.Stop);
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    private static async Task<Upstream> ReadyAsync(ChildProcess server, IPEndPoint[] endPoints, string name, CancellationToken stop)
    {
        try
        {
            foreach (var endPoint in endPoints)
            {
                await Loopback.WaitForAcceptAsync(endPoint, server, name, stop);
            }

            return new Upstream(server, endPoints);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }
}
