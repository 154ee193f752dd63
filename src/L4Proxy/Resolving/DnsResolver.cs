using System.Security.Cryptography;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>What is to be done with a message.</summary>
internal enum DnsDecision
{
    /// <summary>Nothing.</summary>
    Drop,

    /// <summary>The answer is written.</summary>
    Answer,

    /// <summary>A server is to be asked.</summary>
    Forward,
}

/// <summary>Decides about questions on one loop.</summary>
internal sealed class DnsResolver(EventLoop loop, DnsShared shared)
{
    private readonly byte[] _random = new byte[256];
    private int _randomLeft;
    private uint _turn;

    public EventLoop Loop => loop;

    public DnsShared Shared => shared;

    /// <summary>Takes one answer over UDP; its contents live until the next.</summary>
    public byte[] Output { get; } = GC.AllocateUninitializedArray<byte>(DnsMessage.LongestQuery, pinned: true);

    /// <summary>Questions over UDP that wait for a server on this loop.</summary>
    public int Pending { get; private set; }

    /// <summary>Answers from the table, or says who answers.</summary>
    /// <param name="message">As received.</param>
    /// <param name="output">Takes the answer.</param>
    /// <param name="datagram">Over UDP, where answers are short.</param>
    /// <param name="query">The question.</param>
    /// <param name="length">Length of the answer.</param>
    /// <param name="known">With <see cref="DnsDecision.Forward"/>: the name is in the table, and no server may deny it.</param>
    public DnsDecision Decide(
        ReadOnlySpan<byte> message, Span<byte> output, bool datagram, out DnsQuery query, out int length, out bool known)
    {
        Span<char> name = stackalloc char[DnsQuery.LongestName];
        Interlocked.Increment(ref shared.Counters.Requests);
        (length, known) = (0, false);
        QueryVerdict verdict = DnsQuery.Parse(message, name, out query);
        if (verdict != QueryVerdict.Question || message.Length > DnsMessage.LongestQuery)
        {
            Interlocked.Increment(ref shared.Counters.Malformed);
            length = verdict == QueryVerdict.Drop ? 0 : DnsAnswer.Status(output, message, query, Code(verdict));
            return length == 0 ? DnsDecision.Drop : DnsDecision.Answer;
        }

        NameIndex? index = shared.Index;
        if (index is null && shared.AwaitsTable)
        {
            Interlocked.Increment(ref shared.Counters.BeforeTable);
            length = DnsAnswer.Status(output, message, query, DnsMessage.ServerFailure);
            return DnsDecision.Answer;
        }

        NameMatch match = default;
        known = index is not null && query is { IsPlainName: true, Class: DnsMessage.ClassInternet } && index.TryFind(name[..query.NameLength], out match);
        if (known && query.IsForAddresses)
        {
            int limit = datagram ? Math.Min(query.DatagramLimit, output.Length) : output.Length;
            length = DnsAnswer.Addresses(output, message, query, match, shared.Seconds, _turn++, limit);
            Interlocked.Increment(ref shared.Counters.Answered);
            CountIfTruncated(output);
            return DnsDecision.Answer;
        }

        return shared.Servers.IsEmpty ? Unasked(message, output, query, known, out length) : DnsDecision.Forward;
    }

    /// <summary>Takes a place among those who wait for a server; false when there is none.</summary>
    public bool TryWait()
    {
        if (Pending >= shared.MostPending)
        {
            Interlocked.Increment(ref shared.Counters.Overflow);
            return false;
        }

        Pending++;
        Interlocked.Increment(ref shared.Counters.Pending);
        return true;
    }

    /// <summary>Gives the place back.</summary>
    public void Waited()
    {
        Pending--;
        Interlocked.Decrement(ref shared.Counters.Pending);
    }

    /// <summary>An id that nobody can foretell.</summary>
    public ushort NextId()
    {
        if (_randomLeft == 0)
        {
            RandomNumberGenerator.Fill(_random);
            _randomLeft = _random.Length;
        }

        _randomLeft -= 2;
        return BitConverter.ToUInt16(_random, _randomLeft);
    }

    public void CountIfTruncated(ReadOnlySpan<byte> answer)
    {
        if ((DnsMessage.Flags(answer) & DnsMessage.TruncatedFlag) != 0)
        {
            Interlocked.Increment(ref shared.Counters.Truncated);
        }
    }

    private static int Code(QueryVerdict verdict) => verdict switch
    {
        QueryVerdict.NotImplemented => DnsMessage.NotImplemented,
        QueryVerdict.BadVersion => DnsMessage.BadVersion,
        _ => DnsMessage.FormatError,
    };

    /// <summary>There is no server: a known name has no record of the type, another cannot be told.</summary>
    private DnsDecision Unasked(ReadOnlySpan<byte> message, Span<byte> output, in DnsQuery query, bool known, out int length)
    {
        Interlocked.Increment(ref known ? ref shared.Counters.Answered : ref shared.Counters.UpstreamFailures);
        length = DnsAnswer.Status(output, message, query, known ? DnsMessage.NoError : DnsMessage.ServerFailure);
        return DnsDecision.Answer;
    }
}
