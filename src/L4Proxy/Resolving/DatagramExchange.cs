using System.Net;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// One question over UDP that servers are asked: the first, and when it fails or does not answer for a while the next, while earlier
/// answers may still come. Ends with the first good answer, or when the time for all is over.
/// </summary>
internal sealed unsafe class DatagramExchange
{
    private const int FewestTries = 2;
    private static readonly TimeSpan LongestTry = TimeSpan.FromSeconds(2);

    private readonly DnsDatagramListener _listener;
    private readonly DnsResolver _resolver;
    private readonly DatagramClient _client;
    private readonly DnsQuery _query;
    private readonly bool _known;
    private readonly ushort _clientId;
    private readonly byte[] _block;
    private readonly int _length;
    private readonly List<DatagramTry> _tries = new(1);
    private readonly LoopTimer _timer;
    private readonly long _deadline;
    private int _tried;
    private int _code = DnsMessage.ServerFailure;
    private bool _over;

    /// <summary>Copies the message; the caller has taken a place among those who wait.</summary>
    public DatagramExchange(DnsDatagramListener listener, in DatagramClient client, ReadOnlySpan<byte> message, in DnsQuery query, bool known)
    {
        (_listener, _resolver, _client, _query, _known) = (listener, listener.Resolver, client, query, known);
        _block = listener.Loop.Memory.Rent(message.Length);
        _length = message.Length;
        _clientId = DnsMessage.Id(message);
        message.CopyTo(_block);
        _timer = new LoopTimer(static exchange => ((DatagramExchange)exchange!).Elapsed(), this);
        _deadline = Environment.TickCount64 + (long)_resolver.Shared.Config.QueryTimeout.TotalMilliseconds;
    }

    public DnsResolver Resolver => _resolver;

    private ReadOnlySpan<byte> Message => _block.AsSpan(0, _length);

    private int MostTries => Math.Max(FewestTries, _resolver.Shared.Servers.Length);

    public void Begin()
    {
        Interlocked.Increment(ref _resolver.Shared.Counters.Forwarded);
        Try();
    }

    /// <summary>The message under another id.</summary>
    public ReadOnlySpan<byte> Under(ushort id)
    {
        DnsMessage.SetId(_block, id);
        return Message;
    }

    /// <summary>Takes what came from a server; false for what is no answer to this question.</summary>
    public void Received(DatagramTry from, Span<byte> answer)
    {
        switch (UpstreamAnswer.Check(answer, Message, _query, from.Id))
        {
            case UpstreamVerdict.Foreign:
                Interlocked.Increment(ref _resolver.Shared.Counters.UpstreamMismatches);
                break;
            case UpstreamVerdict.Failure:
                _code = DnsMessage.ResponseCode(answer);
                Failed(from);
                break;
            default:
                Finish(answer);
                break;
        }
    }

    /// <summary>This server will not answer: the next is asked at once.</summary>
    public void Failed(DatagramTry failed)
    {
        failed.Close();
        _tries.Remove(failed);
        Try();
    }

    private void Try()
    {
        while (_tried < MostTries)
        {
            IPEndPoint server = _resolver.Shared.Servers[_tried % _resolver.Shared.Servers.Length];
            if (_tried++ > 0)
            {
                Interlocked.Increment(ref _resolver.Shared.Counters.UpstreamRetries);
            }

            if (DatagramTry.Open(this, server) is { } begun)
            {
                _tries.Add(begun);
                break;
            }
        }

        if (_tries.Count == 0)
        {
            Fail();
            return;
        }

        TimeSpan left = TimeSpan.FromMilliseconds(Math.Max(0, _deadline - Environment.TickCount64));
        TimeSpan share = _tried < MostTries ? _resolver.Shared.Config.QueryTimeout / MostTries : left;
        _resolver.Loop.Timers.Arm(_timer, new[] { left, share, _tried < MostTries ? LongestTry : left }.Min());
    }

    private void Elapsed()
    {
        if (Environment.TickCount64 >= _deadline)
        {
            Fail();
        }
        else
        {
            Try();
        }
    }

    private void Finish(Span<byte> answer)
    {
        End();
        DnsMessage.SetId(_block, _clientId);
        if (_known && DnsMessage.ResponseCode(answer) == DnsMessage.NameError)
        {
            _listener.Status(Message, _query, DnsMessage.NoError, _client);
        }
        else if (answer.Length > _query.DatagramLimit)
        {
            _listener.Status(Message, _query, DnsMessage.NoError, _client, DnsMessage.TruncatedFlag);
            Interlocked.Increment(ref _resolver.Shared.Counters.Truncated);
        }
        else
        {
            UpstreamAnswer.Restore(answer, Message, _query, _clientId);
            _resolver.CountIfTruncated(answer);
            _listener.Reply(_client, answer);
        }

        _resolver.Loop.Memory.Return(_block);
    }

    private void Fail()
    {
        End();
        Interlocked.Increment(ref _resolver.Shared.Counters.UpstreamFailures);
        DnsMessage.SetId(_block, _clientId);
        _listener.Status(Message, _query, _known ? DnsMessage.NoError : _code, _client);
        _resolver.Loop.Memory.Return(_block);
    }

    private void End()
    {
        if (_over)
        {
            throw new InvalidOperationException("An exchange ends once.");
        }

        _over = true;
        _resolver.Loop.Timers.Cancel(_timer);
        foreach (DatagramTry begun in _tries)
        {
            begun.Close();
        }

        _tries.Clear();
        _resolver.Waited();
    }
}
