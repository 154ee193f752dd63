using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// One client over TCP. Its questions are answered one after the other, so that it can never have more than one in flight; a question
/// has to arrive, and an answer to be read, within the idle time, however slowly the bytes come.
/// </summary>
internal sealed class DnsStreamSession
{
    private readonly DnsResolver _resolver;
    private readonly LoopGuard _guard;
    private readonly SocketPipe _pipe;
    private readonly LoopTimer _timer;
    private bool _late;

    private DnsStreamSession(DnsResolver resolver, LoopGuard guard, LoopSocket socket)
    {
        (_resolver, _guard, _pipe) = (resolver, guard, new SocketPipe(socket));
        _timer = new LoopTimer(static session => ((DnsStreamSession)session!).Expire(), this);
    }

    /// <summary>Serves a client to its end. The caller has counted it.</summary>
    public static void Start(DnsResolver resolver, LoopGuard guard, LoopSocket socket) => _ = new DnsStreamSession(resolver, guard, socket).ServeAsync();

    private async Task ServeAsync()
    {
        Interlocked.Increment(ref _resolver.Shared.Counters.TcpActive);
        try
        {
            while (await AnswerOneAsync())
            {
            }
        }
        catch (SocketResetException)
        {
            // The client went, or its time was over.
        }
        finally
        {
            _resolver.Loop.Timers.Cancel(_timer);
            _resolver.Shared.TcpClients.Leave();
            Interlocked.Decrement(ref _resolver.Shared.Counters.TcpActive);
            if (_late)
            {
                _pipe.Close(reset: true);
            }
            else
            {
                _pipe.CloseAfterLastWords();
            }
        }
    }

    private async ValueTask<bool> AnswerOneAsync()
    {
        // An idle client holds no block: the first byte is waited for without.
        Arm();
        System.IO.Pipelines.ReadResult first = await _pipe.Input.ReadAsync();
        _pipe.Input.AdvanceTo(first.Buffer.Start);
        if (first.Buffer.IsEmpty)
        {
            return false;
        }

        byte[] question = _resolver.Loop.Memory.Rent(DnsMessage.LongestQuery);
        byte[] answer = _resolver.Loop.Memory.Rent(LoopMemory.LargeBlock);
        try
        {
            int length = await DnsStream.ReadAsync(_pipe.Input, question.AsMemory(0, DnsMessage.LongestQuery));
            if (length < 0)
            {
                return false;
            }

            Interlocked.Increment(ref _resolver.Shared.Counters.TcpRequests);
            _resolver.Loop.Timers.Cancel(_timer);
            int answered = await AnswerAsync(question.AsMemory(0, length), answer.AsMemory(DnsStream.Prefix));
            if (answered == 0)
            {
                return false;
            }

            Arm();
            await DnsStream.WriteAsync(_pipe.Output, answer.AsMemory(0, DnsStream.Prefix + answered));
            return true;
        }
        finally
        {
            _resolver.Loop.Memory.Return(answer);
            _resolver.Loop.Memory.Return(question);
        }
    }

    private async ValueTask<int> AnswerAsync(Memory<byte> message, Memory<byte> output)
    {
        DnsDecision decision = _resolver.Decide(message.Span, output.Span, datagram: false, out DnsQuery query, out int length, out bool known);
        return decision switch
        {
            DnsDecision.Drop => 0,
            DnsDecision.Answer => length,
            _ => await new StreamExchange(_resolver, _guard, message, query, known).AskAsync(output),
        };
    }

    private void Arm() => _resolver.Loop.Timers.Arm(_timer, _resolver.Shared.Config.TcpIdleTimeout);

    private void Expire()
    {
        _late = true;
        Interlocked.Increment(ref _resolver.Shared.Counters.TcpTimeouts);
        _pipe.Close(reset: true);
    }
}
