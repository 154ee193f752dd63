using System.Buffers;
using System.Text;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisMergeTests
{
    [Theory]
    [InlineData("DEL", ":1\r\n", ":2\r\n", ":3\r\n")]
    [InlineData("DEL", ":1\r\n", "-LOADING x\r\n", "-LOADING x (1 of 2 parts of DEL failed)\r\n")]
    [InlineData("DEL", "-LOADING x\r\n", "-OOM y\r\n", "-LOADING x\r\n")]
    [InlineData("DEL", ":1\r\n", "+x\r\n", "-ERR MeshL4: the answers to DEL cannot be made one\r\n")]
    [InlineData("MSET", "+OK\r\n", "+OK\r\n", "+OK\r\n")]
    [InlineData("MSET", "+OK\r\n", "-READONLY no\r\n", "-READONLY no (1 of 2 parts of MSET failed)\r\n")]
    [InlineData("SCRIPT|LOAD", "$2\r\nab\r\n", "$2\r\nab\r\n", "$2\r\nab\r\n")]
    [InlineData("SCRIPT|KILL", "-NOTBUSY no\r\n", "+OK\r\n", "+OK\r\n")]
    [InlineData("SCRIPT|KILL", "-NOTBUSY no\r\n", "-NOTBUSY no\r\n", "-NOTBUSY no\r\n")]
    [InlineData("SCRIPT|EXISTS", "*2\r\n:1\r\n:0\r\n", "*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n")]
    [InlineData("SCRIPT|EXISTS", "*2\r\n:1\r\n:0\r\n", "*1\r\n:1\r\n", "-ERR MeshL4: the answers to SCRIPT|EXISTS cannot be made one\r\n")]
    [InlineData("KEYS", "*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n$1\r\na\r\n")]
    [InlineData("KEYS", "*1\r\n$1\r\na\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n")]
    [InlineData("KEYS", "*1\r\n$1\r\na\r\n", "*-1\r\n", "-ERR MeshL4: the answers to KEYS cannot be made one\r\n")]
    [InlineData("RANDOMKEY", "$-1\r\n", "$1\r\na\r\n", "$1\r\na\r\n")]
    [InlineData("RANDOMKEY", "_\r\n", "-ERR\r\n", "_\r\n")]
    [InlineData("RANDOMKEY", "-ERR a\r\n", "-ERR b\r\n", "-ERR a\r\n")]
    [InlineData("DBSIZE", "|1\r\n+a\r\n*1\r\n+b\r\n:4\r\n", ":5\r\n", ":9\r\n")]
    public void WriteTo_AnswersOfTwoNodes_IsOne(string command, string first, string second, string expected)
    {
        Merge(command, [], first, second).ShouldBe(expected);
        RedisMergeKind kind = Command(command).Merge;
        if (kind is RedisMergeKind.Sum or RedisMergeKind.And && !expected.StartsWith('-'))
        {
            Merge(command, [], second, first).ShouldBe(expected);
        }
    }

    [Theory]
    [InlineData("*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n_\r\n", "*3\r\n$1\r\na\r\n_\r\n$-1\r\n")]
    [InlineData("*2\r\n$1\r\na\r\n$2\r\n\r\n\r\n", "-LOADING x\r\n", "*3\r\n$1\r\na\r\n-LOADING x\r\n$2\r\n\r\n\r\n")]
    [InlineData("-LOADING x\r\n", "-OOM\r\n", "-LOADING x\r\n")]
    [InlineData("*1\r\n$1\r\na\r\n", "*1\r\n$1\r\nb\r\n", "*3\r\n$1\r\na\r\n$1\r\nb\r\n-ERR MeshL4: a node answered MGET with too few elements\r\n")]
    [InlineData("+OK\r\n", "*1\r\n$1\r\nb\r\n", "-ERR MeshL4: the answers to MGET cannot be made one\r\n")]
    public void WriteTo_MgetOfTwoNodes_PutsElementsAndErrorsInTheirPlaces(string first, string second, string expected) =>
        Merge("MGET", [0, 1, 0], first, second).ShouldBe(expected);

    [Fact]
    public void Add_MoreThanTheLimit_HoldsLittleAndAnswersWithAnError()
    {
        using var merge = new RedisMerge { Limit = 100 };
        merge.Begin(Command("KEYS"), 3, []);
        merge.Add(0, RequestRun.Bytes("*1\r\n$80\r\n" + new string('a', 80) + "\r\n")).ShouldBeFalse();
        merge.Add(1, RequestRun.Bytes("*1\r\n$80\r\n" + new string('b', 80) + "\r\n")).ShouldBeFalse();
        merge.Add(2, "*0\r\n"u8).ShouldBeTrue();
        merge.Held.ShouldBeLessThan(100);
        var output = new ArrayBufferWriter<byte>();
        merge.WriteTo(output);
        Encoding.Latin1.GetString(output.WrittenSpan).ShouldBe("-ERR MeshL4: the answers to KEYS have more than 100 bytes\r\n");
        merge.Held.ShouldBe(0);
    }

    [Fact]
    public void Merge_UsedAgain_AllocatesNothing()
    {
        using var merge = new RedisMerge();
        var output = new ArrayBufferWriter<byte>(4096);
        RedisCommand command = Command("MGET");
        int[] owners = [0, 1, 0];
        Once(merge, command, owners, output);
        output.ResetWrittenCount();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Once(merge, command, owners, output);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void SplitAndMerge_OverThreeServers_AnswerAsOneServerDoes()
    {
        using var one = new RedisPeer();
        using var a = new RedisPeer();
        using var b = new RedisPeer();
        using var c = new RedisPeer();
        string[] keys = [.. Enumerable.Range(0, 300).Select(static i => $"k{i}")];
        foreach (string[] words in new string[][]
        {
            ["MSET", .. keys.Where(static k => !k.EndsWith('7')).SelectMany(static k => new[] { k, k + "\r\n*3" })],
            ["MGET", .. keys],
            ["EXISTS", .. keys, "k1", "k1"],
            ["TOUCH", .. keys],
            ["DEL", .. keys.Take(100)],
            ["UNLINK", .. keys.Skip(50)],
            ["MGET", .. keys],
        })
        {
            Through([a, b, c], words).ShouldBe(one.Ask(words), string.Join(' ', words.Take(3)));
        }
    }

    private static byte[] Through(RedisPeer[] peers, string[] words)
    {
        RedisCommand command = Command(words[0]);
        var targets = new FixedTargets(peers.Length);
        using var fragments = new RedisFragments();
        using var merge = new RedisMerge();
        using var arguments = new RespArguments(RedisPeer.Frame(words));
        fragments.TryCut(arguments, words[0] == "MSET" ? 2 : 1, false, ref targets).ShouldBeTrue();
        merge.Begin(command, fragments.Count, fragments.Owners);
        for (int i = fragments.Count - 1; i >= 0; i--)
        {
            RedisFragment part = fragments.Parts[i];
            merge.Add(i, peers[part.Node].Exchange(fragments.Bytes(part).Span)).ShouldBe(i == 0);
        }

        var output = new ArrayBufferWriter<byte>();
        merge.WriteTo(output);
        return output.WrittenSpan.ToArray();
    }

    private static void Once(RedisMerge merge, RedisCommand command, int[] owners, ArrayBufferWriter<byte> output)
    {
        merge.Begin(command, 2, owners);
        merge.Add(1, "*1\r\n$1\r\nb\r\n"u8);
        merge.Add(0, "*2\r\n$1\r\na\r\n$1\r\nc\r\n"u8);
        merge.WriteTo(output);
    }

    private static string Merge(string command, int[] owners, params string[] replies)
    {
        using var merge = new RedisMerge();
        merge.Begin(Command(command), replies.Length, owners);
        for (int i = 0; i < replies.Length; i++)
        {
            merge.Add(i, RequestRun.Bytes(replies[i])).ShouldBe(i == replies.Length - 1);
        }

        var output = new ArrayBufferWriter<byte>();
        merge.WriteTo(output);
        return Encoding.Latin1.GetString(output.WrittenSpan);
    }

    private static RedisCommand Command(string name)
    {
        string[] words = name.Split('|');
        RedisCommandId id = RedisCommandTable.Find(Encoding.UTF8.GetBytes(words[0]));
        return words.Length == 1 ? RedisCommandTable.Get(id) : RedisCommandTable.FindSubcommand(id, Encoding.UTF8.GetBytes(words[1]))!;
    }
}
