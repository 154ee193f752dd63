using System.Text;
using MeshL4.L4Proxy.Matching;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Matching;

public class KeyPrefixIndexTests
{
    [Theory]
    [InlineData("user:1", 1)]
    [InlineData("user:vip:9", 2)]
    [InlineData("use", 0)]
    [InlineData("", 0)]
    [InlineData("user:", 1)]
    [InlineData("zebra", 0)]
    public void Find_PrefixesInsideEachOther_TakesTheLongest(string key, int place) =>
        Index(false, "", "user:", "user:vip:").Find(Bytes(key)).ShouldBe(place);

    [Fact]
    public void Find_NoPrefixFits_IsNone()
    {
        Index(false, "a", "b").Find("c"u8).ShouldBe(KeyPrefixIndex.None);
        Index(false).Find("c"u8).ShouldBe(KeyPrefixIndex.None);
    }

    [Fact]
    public void Find_EqualPrefixes_TakesTheFirst() => Index(false, "x", "ab", "ab").Find("abc"u8).ShouldBe(1);

    [Fact]
    public void Find_IgnoringCase_FindsEitherCase()
    {
        KeyPrefixIndex index = Index(true, "User:", "user:VIP:");
        index.Find("uSER:1"u8).ShouldBe(0);
        index.Find("USER:vip:1"u8).ShouldBe(1);
        Index(false, "User:").Find("user:1"u8).ShouldBe(KeyPrefixIndex.None);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Find_RandomPrefixes_AgreesWithLookingAtEach(bool ignoreCase)
    {
        var random = new Random(7);
        for (int round = 0; round < 200; round++)
        {
            string[] prefixes = [.. Enumerable.Range(0, random.Next(0, 60)).Select(_ => Text(random, 5))];
            KeyPrefixIndex index = Index(ignoreCase, prefixes);
            for (int i = 0; i < 100; i++)
            {
                string key = Text(random, 8);
                index.Find(Bytes(key)).ShouldBe(Naive(prefixes, key, ignoreCase), $"key '{key}' among {string.Join(' ', prefixes)}");
            }
        }
    }

    [Fact]
    public void Find_ManyPrefixes_AllocatesNothing()
    {
        KeyPrefixIndex index = Index(false, [.. Enumerable.Range(0, 5000).Select(i => $"tenant-{i:d4}:")]);
        byte[] key = Bytes("tenant-4711:user:1");
        index.Find(key).ShouldBe(4711);
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                index.Find(key);
            }
        }).ShouldBe(0);
    }

    private static int Naive(string[] prefixes, string key, bool ignoreCase)
    {
        StringComparison comparison = ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        int best = KeyPrefixIndex.None;
        for (int i = 0; i < prefixes.Length; i++)
        {
            if (key.StartsWith(prefixes[i], comparison) && (best < 0 || prefixes[i].Length > prefixes[best].Length))
            {
                best = i;
            }
        }

        return best;
    }

    /// <summary>Few letters, so that prefixes share beginnings.</summary>
    private static string Text(Random random, int longest) =>
        string.Concat(Enumerable.Range(0, random.Next(0, longest + 1)).Select(_ => "aAb:"[random.Next(4)]));

    private static KeyPrefixIndex Index(bool ignoreCase, params string[] prefixes) =>
        new([.. prefixes.Select(prefix => (ReadOnlyMemory<byte>)Bytes(prefix))], ignoreCase);

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
