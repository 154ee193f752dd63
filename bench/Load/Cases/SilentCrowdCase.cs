using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>
/// 10,000 clients that ask for more than they may have held and never read: what the process holds of their answers, and what is left
/// for clients that do read. Slow readers are not closed here for being slow, so that all of them stay as long as memory lets them.
/// </summary>
internal sealed class SilentCrowdCase() : FreshProcessCase("xrpc-silent", "10,000 clients that never read their answers, and 50 that do")
{
    private const int Crowd = 10_000;
    private const int Spare = 500;
    private const int Requests = 96;
    private const int ValueBytes = 16 * 1024;
    private const double Loops = 2;

    /// <summary>man 7 tcp.</summary>
    private const int TcpMaxSegment = 2;

    /// <summary>docs/xrpc.md: what two loops hold of answers, the free blocks they keep, and a block of each client for its waiting requests, in MiB.</summary>
    private const double Held = (Loops * (256 + 12)) + (Crowd * 4 / 1024.0);

    private const string Key = "bench:long";
    private const string Peak = "peak resident";
    private const string Formula = "documented bound";
    private const string Beside = "requests of the others";
    private const string Quiet = "quiet";
    private const string Silent = "beside 10,000";
    private static readonly IPAddress[] Sources = Loopback.Spread(net: 23, count: 16);

    public override IReadOnlyList<string> Needs => [SubjectNames.MeshPatient];

    public override IReadOnlyList<Bar> Bars => [new Bar(Peak, SubjectNames.MeshPatient, Formula, AtLeast: false, 1), new Bar(Beside, Silent, Quiet, AtLeast: true, 0.9)];

    protected override IReadOnlyList<string> Subjects => [SubjectNames.MeshPatient];

    protected override int RoundsOf(CaseContext context) => Math.Max(1, context.Rounds / 2);

    protected override async Task<Upstream> StartUpstreamAsync(CaseContext context)
    {
        var upstream = await Upstream.StartRedisAsync(context, IPAddress.Loopback);
        await RedisLoad.SetKeyAsync(upstream.EndPoints[0], context.Stop);
        await RedisLoad.SetAsync(upstream.EndPoints[0], Key, ValueBytes, context.Stop);
        return upstream;
    }

    protected override async Task<string> MeasureAsync(CaseContext context, RunningSubject subject, TimeSpan startedIn, CaseResult result)
    {
        var pid = subject.Child!.Pid;
        ProcessTree.RequireOpenFiles($"the harness (pid {Environment.ProcessId})", Environment.ProcessId, Crowd + Spare);
        ProcessTree.RequireOpenFiles(subject.Name, pid, Crowd + Spare);
        var rate = await RateAsync(context, subject, 15000);
        var crowd = Open(subject.Targets[0], context.Stop);
        var before = ProcessTree.ResidentMegabytes(pid);
        var quiet = await RateAsync(context, subject, rate);
        crowd.ForEach(Ask);
        await AtRestAsync(pid, context.Stop);
        var silent = await RateAsync(context, subject, rate);
        var peak = ProcessTree.PeakKilobytes(await File.ReadAllTextAsync($"/proc/{pid}/status", context.Stop)) / 1024.0;
        var left = crowd.Count(static socket => !socket.Poll(0, SelectMode.SelectError));
        crowd.ForEach(static socket => socket.Dispose());
        result.Add(Peak, "MB", SubjectNames.MeshPatient, peak);
        result.Add(Peak, "MB", Formula, before + Held);
        result.Add(Beside, "req/s", Quiet, quiet);
        result.Add(Beside, "req/s", Silent, silent);
        return string.Create(CultureInfo.InvariantCulture, $"peak {peak:0} MB of {before + Held:0}, {silent:N0} req/s beside {left} of them (quiet {quiet:N0})");
    }

    private static async Task<double> RateAsync(CaseContext context, RunningSubject subject, double expected) => (await RedisLoad.RunAsync(
        subject.Targets[0], 50, 1, (long)(expected * context.Seconds), TimeSpan.FromSeconds((context.Seconds * 10) + 20), context.Stop)).RequestsPerSecond;

    private static List<Socket> Open(IPEndPoint target, CancellationToken stop)
    {
        var sockets = new List<Socket>(Crowd);
        for (var i = 0; i < Crowd; i++)
        {
            stop.ThrowIfCancellationRequested();
            var socket = PingClient.Create(Sources[i % Sources.Length]);

            // Little room in the kernel, which would have gigabytes for such segments as loopback has: what matters is what the process holds.
            socket.ReceiveBufferSize = 4096;
            socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, TcpMaxSegment, BitConverter.GetBytes(536));
            sockets.Add(socket);
            try
            {
                socket.Connect(target);
            }
            catch (SocketException e)
            {
                throw new VoidRunException($"connection {i + 1} failed: {e.SocketErrorCode}");
            }
        }

        return sockets;
    }

    private static void Ask(Socket socket)
    {
        try
        {
            socket.Send([.. Enumerable.Repeat(RedisLoad.Command("GET", Key), Requests).SelectMany(static one => one)]);
        }
        catch (SocketException)
        {
            // Closed already: the proxy may choose whom it closes.
        }
    }

    /// <summary>The proxy has taken what it takes of their answers: it needs no processor any more.</summary>
    private static async Task AtRestAsync(int pid, CancellationToken stop)
    {
        for (var second = 0; second < 120; second++)
        {
            var before = ProcessTree.CpuSeconds(pid);
            await Task.Delay(TimeSpan.FromSeconds(1), stop);
            if (ProcessTree.CpuSeconds(pid) - before < 0.05)
            {
                return;
            }
        }

        throw new VoidRunException("the proxy does not come to rest beside clients that never read");
    }
}
