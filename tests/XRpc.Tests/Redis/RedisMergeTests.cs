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
    [InlineData("SCRIPT|EXISTS", "*2\r\n:1\r\n:0\r\n", "*1\r\n:1\r\n", "-ERR MeshL4: the answers to SCRIPT EXISTS cannot be made one\r\n")]
    [InlineData("KEYS", "*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n$1\r\na\r\n")]
    [InlineData("KEYS", "*1\r\n$1\r\na\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n")]
    [InlineData("KEYS", "*1\r\n$1\r\na\r\n", "*-1\r\n", "-ERR MeshL4: the answers to KEYS cannot be made one\r\n")]
    [InlineData("RANDOMKEY", "$-1\r\n", "$1\r\na\r\n", "$1\r\na\r\n")]
    [InlineData("RANDOMKEY", "_\r\n", "-ERR\r\n", "-ERR (1 of 2 parts of RANDOMKEY failed)\r\n")]
    [InlineData("RANDOMKEY", "-ERR\r\n", "$1\r\na\r\n", "$1\r\na\r\n")]
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

    private static string Merge(string command, int[] owners, params string[] replies)
    {
        var notes = new ArrayBufferWriter<byte>();
        RedisMerge.WriteNotes(notes, Command(command), default);
        notes.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(owners.AsSpan()));
        var output = new ArrayBufferWriter<byte>();
        RedisMerge.Write(new HeldReplies(notes.WrittenSpan.ToArray(), [.. replies.Select(RequestRun.Bytes)]), output);
        return Encoding.Latin1.GetString(output.WrittenSpan);
    }

    private static RedisCommand Command(string name)
    {
        string[] words = name.Split('|');
        RedisCommandId id = RedisCommandTable.Find(Encoding.UTF8.GetBytes(words[0]));
        return words.Length == 1 ? RedisCommandTable.Get(id) : RedisCommandTable.FindSubcommand(id, Encoding.UTF8.GetBytes(words[1]))!;
    }
}
