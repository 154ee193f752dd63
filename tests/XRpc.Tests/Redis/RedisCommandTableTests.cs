using System.Text;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisCommandTableTests
{
    [Fact]
    public void Find_EveryNameInBothCases_GivesItsOwnId()
    {
        RedisCommandTable.Count.ShouldBe(241);
        for (int id = 1; id < RedisCommandTable.Count; id++)
        {
            string name = RedisCommandTable.Get((RedisCommandId)id).Name;
            RedisCommandTable.Find(Encoding.UTF8.GetBytes(name)).ShouldBe((RedisCommandId)id);
            RedisCommandTable.Find(Encoding.UTF8.GetBytes(name.ToLowerInvariant())).ShouldBe((RedisCommandId)id);
            Enum.GetName((RedisCommandId)id)!.ShouldBe(name.Replace("-", "").Replace("_", ""), StringCompareShould.IgnoreCase);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("GETT")]
    [InlineData("SUBSTRX")]
    [InlineData("OTHER")]
    [InlineData("\u0007ET")]
    [InlineData("A NAME LONGER THAN ANY COMMAND OF THE SERVER")]
    public void Find_NoCommand_IsOther(string name) =>
        RedisCommandTable.Find(Encoding.UTF8.GetBytes(name)).ShouldBe(RedisCommandId.Other);

    [Theory]
    [InlineData("MGET a b c", "a b c")]
    [InlineData("MSET a 1 b 2", "a b")]
    [InlineData("BLPOP a b 0", "a b")]
    [InlineData("EVAL script 2 a b arg", "a b")]
    [InlineData("EVAL script 99 a", "")]
    [InlineData("EVAL script -1 a", "")]
    [InlineData("XREAD COUNT 2 streams a b 0 0", "a b")]
    [InlineData("XREAD COUNT 2", "")]
    [InlineData("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b")]
    [InlineData("GEORADIUS k 1 1 1 m STORE d", "k d")]
    [InlineData("BITOP AND d a b", "d a b")]
    [InlineData("OBJECT ENCODING a", "a")]
    [InlineData("MIGRATE h 1 k 0 9 KEYS a b", "k a b")]
    [InlineData("MIGRATE h 1 \"\" 0 9 KEYS a b", "a b")]
    [InlineData("MIGRATE h 1 \"\" 0 9 KEYS a keys b", "a keys b")]
    [InlineData("MIGRATE h 1 \"\" 0 9 AUTH2 keys KEYS REPLACE AUTH KEYS KEYS a", "a")]
    [InlineData("BITOP AND d \"\" b", "d  b")]
    [InlineData("SORT l STORE a STORE b", "l a b")]
    [InlineData("SORT l BY store GET store LIMIT store 1 STORE a", "l a")]
    [InlineData("GEORADIUS k 1 1 1 m STORE a COUNT 1 storedist b", "k a b")]
    [InlineData("GEORADIUSBYMEMBER k store 1 m STORE STORE", "k STORE")]
    [InlineData("XREADGROUP GROUP streams streams COUNT 1 BLOCK 0 NOACK STREAMS s >", "s")]
    [InlineData("XREADGROUP COUNT 1 GROUP STREAMS c STREAMS s t > >", "s t")]
    [InlineData("XREAD BLOCK 0 STREAMS streams 0", "streams")]
    [InlineData("PING", "")]
    public void Locate_ByTheServersSpecifications_FindsTheKeys(string line, string expected)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        RespInline.TryConvert(Encoding.UTF8.GetBytes(line), output).ShouldBeTrue();
        using var arguments = new RespArguments(output.WrittenSpan);
        int[] indexes = new int[arguments.Count];
        int found = RedisKeys.Locate(RedisCommandTable.Get(RedisCommandTable.Find(arguments[0])), arguments, indexes);
        var keys = new List<string>();
        for (int i = 0; i < found; i++)
        {
            keys.Add(Encoding.UTF8.GetString(arguments[indexes[i]]));
        }

        string.Join(' ', keys).ShouldBe(expected);
    }

    [Fact]
    public void Locate_EveryWordThatKeysStandBehind_IsLookedForAsTheCommandDoes()
    {
        IEnumerable<RedisKeySpec> all = Enumerable.Range(0, RedisCommandTable.Count).SelectMany(id => RedisCommandTable.Get((RedisCommandId)id).Keys);
        all.Select(s => s.Keyword).Distinct().ShouldBe(["", "STORE", "STOREDIST", "KEYS", "STREAMS"], ignoreOrder: true);
    }

    [Theory]
    [InlineData("GET x\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n")]
    [InlineData("  SET  a \"b c\\n\\x41\\q\" \r\n", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$6\r\nb c\nAq\r\n")]
    [InlineData("GET \"x\\x4\"\n", "*2\r\n$3\r\nGET\r\n$3\r\nxx4\r\n")]
    [InlineData("GET 'a\\'b\\n'\n", "*2\r\n$3\r\nGET\r\n$5\r\na'b\\n\r\n")]
    [InlineData("GET \"\"\n", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n")]
    [InlineData("\r\n", "")]
    [InlineData("GET \"x\r\n", null)]
    [InlineData("GET 'x\r\n", null)]
    [InlineData("GET \"x\"y\r\n", null)]
    [InlineData("GET \"x\\\r\n", null)]
    public void TryConvert_InlineLine_SplitsAsTheServerDoes(string line, string? expected)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        RespInline.TryConvert(RequestRun.Bytes(line), output).ShouldBe(expected is not null);
        Encoding.Latin1.GetString(output.WrittenSpan).ShouldBe(expected ?? "");
    }
}
