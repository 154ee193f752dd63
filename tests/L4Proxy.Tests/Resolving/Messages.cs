using System.Buffers.Binary;
using System.Text;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>DNS messages written out by hand, apart from the code under test.</summary>
internal static class Messages
{
    public const ushort A = 1, Txt = 16, Aaaa = 28;

    /// <summary>A question with recursion desired.</summary>
    public static byte[] Question(string name, ushort type = A, ushort id = 0x1234, ushort? edns = null) =>
    [
        .. Number(id), 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, (byte)(edns is null ? 0 : 1), .. Name(name), .. Number(type), 0, 1,
        .. edns is { } size ? new byte[] { 0, 0, 41, (byte)(size >> 8), (byte)size, 0, 0, 0, 0, 0, 0 } : [],
    ];

    /// <summary>The answer of a server to <paramref name="question"/>, with records as given.</summary>
    public static byte[] Answer(byte[] question, int code = 0, params byte[][] records)
    {
        byte[] answer = [.. question[..QuestionEnd(question)], .. records.SelectMany(static record => record)];
        answer[2] |= 0x80;
        answer[3] = (byte)(0x80 | code);
        answer[7] = (byte)records.Length;
        answer[11] = 0;
        return answer;
    }

    /// <summary>An A record of the question's name.</summary>
    public static byte[] Address(byte a, byte b, byte c, byte d) => [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, a, b, c, d];

    public static byte[] Name(string name) =>
        [.. name.Split('.', StringSplitOptions.RemoveEmptyEntries).SelectMany(static label => (byte[])[(byte)label.Length, .. Encoding.Latin1.GetBytes(label)]), 0];

    public static int Code(byte[] answer) => answer[3] & 0xF;

    public static int Answers(byte[] answer) => BinaryPrimitives.ReadUInt16BigEndian(answer.AsSpan(6));

    public static bool IsTruncated(byte[] answer) => (answer[2] & 2) != 0;

    /// <summary>Every address of an answer whose records are A, in order.</summary>
    public static string[] Addresses(byte[] question, byte[] answer)
    {
        var found = new List<string>();
        int at = QuestionEnd(question);
        for (int i = 0; i < Answers(answer); i++)
        {
            int size = BinaryPrimitives.ReadUInt16BigEndian(answer.AsSpan(at + 10));
            if (answer[at + 3] == A)
            {
                found.Add(string.Join('.', answer[(at + 12)..(at + 16)]));
            }

            at += 12 + size;
        }

        return [.. found];
    }

    public static byte[] Number(int number) => [(byte)(number >> 8), (byte)number];

    public static int QuestionEnd(byte[] message)
    {
        int at = 12;
        while (message[at] != 0)
        {
            at += message[at] + 1;
        }

        return at + 5;
    }
}
