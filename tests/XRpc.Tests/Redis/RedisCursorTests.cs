using System.Text;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisCursorTests
{
    [Fact]
    public void Scan_OverThreeServers_SeesEveryKeyOnceAndEnds()
    {
        RedisPeer[] peers = [new(), new(), new()];
        using var run = new ConversationRun(peers);
        string[] keys = [.. Enumerable.Range(0, 900).Select(static i => $"key{i}")];
        run.Ask(["MSET", .. keys.SelectMany(static k => new[] { k, "v" })]).ShouldBe("+OK\r\n");
        List<string> seen = [];
        string cursor = "0";
        do
        {
            string[] lines = run.Ask("SCAN", cursor, "COUNT", "50").Split("\r\n");
            seen.AddRange(lines.Where(static line => line.StartsWith("key", StringComparison.Ordinal)));
            cursor = lines[2];
        }
        while (cursor != "0");

        seen.Distinct().Order().ShouldBe(keys.Order());
        run.Ask("SCAN", $"{RedisCursor.MaxNodes - 1}").ShouldBe("*2\r\n$1\r\n0\r\n*0\r\n");
        Array.ForEach(peers, static peer => peer.Dispose());
    }

    [Theory]
    [InlineData("0", 1, 0, 0UL)]
    [InlineData("12", 1, 0, 12UL)]
    [InlineData("4097", 3, 1, 1UL)]
    [InlineData("18446744073709551615", 3, 4095, 4503599627370495UL)]
    public void TryDecode_ACursor_TellsNodeAndPlace(string argument, int nodes, int node, ulong place)
    {
        RedisCursor.TryDecode(Encoding.ASCII.GetBytes(argument), nodes, out RedisCursor cursor).ShouldBeTrue();
        cursor.ShouldBe(new RedisCursor(node, nodes, place));
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1 ")]
    [InlineData("18446744073709551616")]
    public void TryDecode_NoNumber_IsRefused(string argument) =>
        RedisCursor.TryDecode(Encoding.ASCII.GetBytes(argument), 2, out _).ShouldBeFalse();

    [Theory]
    [InlineData(0, 2, 0UL, true, 1UL)]
    [InlineData(1, 2, 0UL, true, 0UL)]
    [InlineData(0, 2, 7UL, true, 28672UL)]
    [InlineData(0, 1, ulong.MaxValue, true, ulong.MaxValue)]
    [InlineData(0, 2, ulong.MaxValue, false, 0UL)]
    public void TryEncode_ANodesCursor_KeepsTheNode(int node, int nodes, ulong answered, bool fits, ulong expected)
    {
        new RedisCursor(node, nodes, 0).TryEncode(answered, out ulong encoded).ShouldBe(fits);
        if (fits)
        {
            encoded.ShouldBe(expected);
        }
    }
}
