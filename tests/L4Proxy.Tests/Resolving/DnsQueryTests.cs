using MeshL4.L4Proxy.Resolving;
using Shouldly;
using Xunit;
using static MeshL4.L4Proxy.Tests.Resolving.Messages;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>Messages of clients: read, refused by name, and never read past their end.</summary>
public sealed class DnsQueryTests
{
    [Theory]
    [InlineData("WeB.Example", "web.example")]
    [InlineData("", "")]
    [InlineData("_http._tcp.a", "_http._tcp.a")]
    public void Parse_Question_GivesTheNameInLowerCase(string sent, string expected)
    {
        (QueryVerdict verdict, DnsQuery query, string name) = Parse(Question(sent, Aaaa));
        verdict.ShouldBe(QueryVerdict.Question);
        name.ShouldBe(expected);
        (query.Type, query.Class, query.HasEdns, query.DatagramLimit, query.IsPlainName).ShouldBe((Aaaa, (ushort)1, false, 512, true));
    }

    [Theory]
    [InlineData(1232, 1232)]
    [InlineData(100, 512)]
    [InlineData(65535, 65535)]
    public void Parse_WithEdns_GivesTheClientsLimit(int size, int limit)
    {
        (_, DnsQuery query, _) = Parse(Question("a.b", A, 1, (ushort)size));
        (query.HasEdns, query.DatagramLimit).ShouldBe((true, limit));
    }

    [Fact]
    public void Parse_LongestName_IsTaken_AndOneMoreByteIsNot()
    {
        string longest = string.Join('.', new string('a', 63), new string('b', 63), new string('c', 63), new string('d', 61));
        Parse(Question(longest)).Verdict.ShouldBe(QueryVerdict.Question);
        Parse(Question(longest)).Name.ShouldBe(longest);
        Parse(Question(longest + "e")).Verdict.ShouldBe(QueryVerdict.FormatError);
    }

    [Fact]
    public void Parse_LabelWithADot_IsNoPlainName()
    {
        byte[] message = Question("axb.c");
        message[14] = (byte)'.';
        Parse(message).Query.IsPlainName.ShouldBeFalse("a.b.c would be another name");
    }

    [Fact]
    public void Parse_Answer_IsDropped()
    {
        byte[] message = Question("a");
        message[2] |= 0x80;
        Parse(message).Verdict.ShouldBe(QueryVerdict.Drop);
        Parse([]).Verdict.ShouldBe(QueryVerdict.Drop);
        Parse(message[..11]).Verdict.ShouldBe(QueryVerdict.Drop);
    }

    [Fact]
    public void Parse_OtherOpcode_IsNotImplemented()
    {
        byte[] message = Question("a");
        message[2] |= 5 << 3;
        Parse(message).Verdict.ShouldBe(QueryVerdict.NotImplemented);
    }

    [Fact]
    public void Parse_OtherVersionOfEdns_IsTold()
    {
        byte[] message = Question("a", edns: 1232);
        message[^5] = 1;
        Parse(message).Verdict.ShouldBe(QueryVerdict.BadVersion);
    }

    public static TheoryData<string, byte[]> Malformed() => new()
    {
        { "no question", [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
        { "two questions", [0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0, 0, 1, 0, 1, 1, (byte)'a', 0, 0, 1, 0, 1] },
        { "a pointer to itself", [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1] },
        { "a pointer behind a label", [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0xC0, 12, 0, 1, 0, 1] },
        { "a label of 64", [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 64, .. new byte[64], 0, 0, 1, 0, 1] },
        { "a label beyond the end", [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, (byte)'a', 0] },
        { "no root", [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)'a'] },
        { "no class", [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0, 0, 1] },
        { "bytes behind the end", [.. Question("a"), 0] },
        { "a record that is not there", [.. Question("a")[..11], 1, .. Question("a")[12..]] },
        { "60,000 records", [.. Question("a")[..6], 0xEA, 0x60, .. Question("a")[8..]] },
        { "two OPT records", [.. Question("a")[..11], 2, .. Question("a", edns: 512)[12..], .. Question("a", edns: 512)[^11..]] },
        { "an OPT record longer than the message", [.. Question("a", edns: 512)[..^1], 9] },
        { "a record whose name points to itself without an end", [.. Question("a")[..11], 1, .. Question("a")[12..], 0xC0] },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void Parse_Malformed_IsAFormatError(string what, byte[] message) => Parse(message).Verdict.ShouldBe(QueryVerdict.FormatError, what);

    [Fact]
    public void Parse_EveryCutAndEveryChangedByte_StaysInBounds()
    {
        byte[] whole = Question("web.ns.svc.cluster.local", A, 7, 1232);
        for (int length = 0; length < whole.Length; length++)
        {
            Parse(whole[..length]).Verdict.ShouldNotBe(QueryVerdict.Question);
        }

        var random = new Random(1);
        for (int i = 0; i < 200_000; i++)
        {
            byte[] changed = [.. whole];
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            (QueryVerdict verdict, DnsQuery query, _) = Parse(changed);
            (verdict != QueryVerdict.Question || query.End <= changed.Length).ShouldBeTrue();
        }
    }

    private static (QueryVerdict Verdict, DnsQuery Query, string Name) Parse(byte[] message)
    {
        Span<char> name = stackalloc char[DnsQuery.LongestName];
        QueryVerdict verdict = DnsQuery.Parse(message, name, out DnsQuery query);
        return (verdict, query, new string(name[..query.NameLength]));
    }
}
