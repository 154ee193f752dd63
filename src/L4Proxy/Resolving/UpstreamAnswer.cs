namespace MeshL4.L4Proxy.Resolving;

/// <summary>What a message from a server's address is to a question.</summary>
internal enum UpstreamVerdict
{
    /// <summary>Not its answer: another id or question, or no answer at all.</summary>
    Foreign,

    /// <summary>Its answer.</summary>
    Answer,

    /// <summary>The server cannot or will not say; another may.</summary>
    Failure,
}

/// <summary>Holds answers of servers against the question they must answer.</summary>
internal static class UpstreamAnswer
{
    /// <summary>Judges a message.</summary>
    /// <param name="answer">As received.</param>
    /// <param name="message">The question's message.</param>
    /// <param name="query">Its question.</param>
    /// <param name="id">The id it was sent under.</param>
    public static UpstreamVerdict Check(ReadOnlySpan<byte> answer, ReadOnlySpan<byte> message, in DnsQuery query, ushort id)
    {
        if (answer.Length < DnsMessage.HeaderLength || DnsMessage.Id(answer) != id || !DnsMessage.IsResponse(answer) || DnsMessage.Opcode(answer) != 0)
        {
            return UpstreamVerdict.Foreign;
        }

        // A server that could not read the question may leave it out.
        int code = DnsMessage.ResponseCode(answer);
        bool bare = DnsMessage.Count(answer, 0) == 0 && answer.Length == DnsMessage.HeaderLength && code != DnsMessage.NoError;
        if (!bare && (DnsMessage.Count(answer, 0) != 1 || !IsSameQuestion(answer, message, query.End)))
        {
            return UpstreamVerdict.Foreign;
        }

        return bare || code is DnsMessage.ServerFailure or DnsMessage.Refused or DnsMessage.NotImplemented or DnsMessage.FormatError
            ? UpstreamVerdict.Failure : UpstreamVerdict.Answer;
    }

    /// <summary>Gives an answer the id and the letters of the client's question.</summary>
    public static void Restore(Span<byte> answer, ReadOnlySpan<byte> message, in DnsQuery query, ushort id)
    {
        DnsMessage.SetId(answer, id);
        message[DnsMessage.HeaderLength..query.End].CopyTo(answer[DnsMessage.HeaderLength..]);
    }

    /// <summary>Letters may differ in case; type and class, which are no letters, must not: they are compared apart.</summary>
    private static bool IsSameQuestion(ReadOnlySpan<byte> answer, ReadOnlySpan<byte> message, int end)
    {
        if (answer.Length < end || !answer[(end - 4)..end].SequenceEqual(message[(end - 4)..end]))
        {
            return false;
        }

        for (int i = DnsMessage.HeaderLength; i < end - 4; i++)
        {
            if (Lower(answer[i]) != Lower(message[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static int Lower(byte octet) => octet is >= (byte)'A' and <= (byte)'Z' ? octet | 0x20 : octet;
}
