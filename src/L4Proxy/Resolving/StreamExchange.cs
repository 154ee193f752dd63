using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>One question over TCP that servers are asked in turn, within one time for all of them.</summary>
/// <param name="resolver">Of the client's loop.</param>
/// <param name="guard">Told of the connections.</param>
/// <param name="message">The question's message, whose id changes meanwhile.</param>
/// <param name="query">Its question.</param>
/// <param name="known">Whether the name is in the table.</param>
internal sealed class StreamExchange(DnsResolver resolver, LoopGuard guard, Memory<byte> message, DnsQuery query, bool known)
{
    private readonly ushort _clientId = DnsMessage.Id(message.Span);
    private readonly long _deadline = Environment.TickCount64 + (long)resolver.Shared.Config.QueryTimeout.TotalMilliseconds;
    private int _code = DnsMessage.ServerFailure;

    /// <summary>Writes the answer of the first server that has one, or that none has; its length.</summary>
    public async ValueTask<int> AskAsync(Memory<byte> output)
    {
        Interlocked.Increment(ref resolver.Shared.Counters.Forwarded);
        int length = 0;
        int left = resolver.Shared.Servers.Length;
        foreach (IPEndPoint server in resolver.Shared.Servers)
        {
            // Each has its share of the time, so that a silent one leaves some for the next.
            TimeSpan share = TimeSpan.FromMilliseconds(Math.Max(0, _deadline - Environment.TickCount64) / left--);
            length = share > TimeSpan.Zero ? await AskAsync(server, share, output) : 0;
            if (length > 0)
            {
                break;
            }

            Interlocked.Increment(ref resolver.Shared.Counters.UpstreamRetries);
        }

        DnsMessage.SetId(message.Span, _clientId);
        if (length == 0)
        {
            Interlocked.Increment(ref resolver.Shared.Counters.UpstreamFailures);
            return DnsAnswer.Status(output.Span, message.Span, query, known ? DnsMessage.NoError : _code);
        }

        if (known && DnsMessage.ResponseCode(output.Span) == DnsMessage.NameError)
        {
            return DnsAnswer.Status(output.Span, message.Span, query, DnsMessage.NoError);
        }

        UpstreamAnswer.Restore(output.Span[..length], message.Span, query, _clientId);
        return length;
    }

    private async ValueTask<int> AskAsync(IPEndPoint server, TimeSpan share, Memory<byte> output)
    {
        long end = Environment.TickCount64 + (long)share.TotalMilliseconds;
        var dial = new ClusterSnapshot { Name = "", State = Dialled, ConnectTimeout = share };
        ConnectResult connected = await ConnectAttempt.ConnectAsync(resolver.Loop, server, dial, downstream: null, guard);
        if (connected.Socket is not { } socket)
        {
            return 0;
        }

        var pipe = new SocketPipe(socket);
        var timer = new LoopTimer(static late => ((SocketPipe)late!).Close(reset: true), pipe);
        resolver.Loop.Timers.Arm(timer, TimeSpan.FromMilliseconds(Math.Max(1, end - Environment.TickCount64)));
        byte[] framed = resolver.Loop.Memory.Rent(DnsStream.Prefix + message.Length);
        try
        {
            ushort id = resolver.NextId();
            DnsMessage.SetId(message.Span, id);
            message.CopyTo(framed.AsMemory(DnsStream.Prefix));
            await DnsStream.WriteAsync(pipe.Output, framed.AsMemory(0, DnsStream.Prefix + message.Length));
            int length = await DnsStream.ReadAsync(pipe.Input, output);
            return length > 0 ? Judge(output.Span[..length], id) : 0;
        }
        catch (SocketResetException)
        {
            return 0;
        }
        finally
        {
            resolver.Loop.Timers.Cancel(timer);
            resolver.Loop.Memory.Return(framed);
            pipe.Close(reset: false);
            if (connected.Local is { } local)
            {
                guard.Closed(ProtocolType.Tcp, local, server);
            }
        }
    }

    /// <summary>State that a dial needs and nobody looks at.</summary>
    private static ClusterState Dialled { get; } = new("");

    private int Judge(ReadOnlySpan<byte> answer, ushort id)
    {
        switch (UpstreamAnswer.Check(answer, message.Span, query, id))
        {
            case UpstreamVerdict.Answer:
                return answer.Length;
            case UpstreamVerdict.Failure:
                _code = DnsMessage.ResponseCode(answer);
                return 0;
            default:
                Interlocked.Increment(ref resolver.Shared.Counters.UpstreamMismatches);
                return 0;
        }
    }
}
