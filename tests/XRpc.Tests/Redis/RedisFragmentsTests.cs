using System.Text;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisFragmentsTests
{
    [Fact]
    public void TryCut_KeysOfSeveralNodes_KeepsTheirOrderInEachPart()
    {
        string[] keys = [.. Enumerable.Range(0, 200).Select(static i => $"key{i}")];
        using var fragments = new RedisFragments();
        var targets = new FixedTargets(5);
        using var arguments = new RespArguments(RedisPeer.Frame(["mget", .. keys]));

        fragments.TryCut(arguments, 1, true, ref targets).ShouldBeTrue();

        fragments.Count.ShouldBe(5);
        fragments.Keys.ShouldBe(200);
        foreach (RedisFragment part in fragments.Parts)
        {
            string[] mine = [.. keys.Where(k => targets.NodeOf(k) == part.Node)];
            part.Keys.ShouldBe(mine.Length);
            fragments.Bytes(part).ToArray().ShouldBe(RedisPeer.Frame(["mget", .. mine]));
        }

        for (int i = 0; i < keys.Length; i++)
        {
            fragments.Parts[fragments.Owners[i]].Node.ShouldBe(targets.NodeOf(keys[i]));
        }
    }

    [Fact]
    public void TryCut_PairsWithPrefixes_CarriesValuesAndTakesPrefixesOff()
    {
        using var fragments = new RedisFragments();
        var targets = new FixedTargets(1);
        using var arguments = new RespArguments(RedisPeer.Frame("MSET", "p:0123456789", "1", "k", "", "p:", "\r\n"));

        fragments.TryCut(arguments, 2, false, ref targets).ShouldBeTrue();

        fragments.Count.ShouldBe(1);
        fragments.Bytes(fragments.Parts[0]).ToArray().ShouldBe(RedisPeer.Frame("MSET", "0123456789", "1", "k", "", "", "\r\n"));
    }

    [Fact]
    public void TryCut_KeyWithoutARoute_CutsNothingAndTellsWhich()
    {
        using var fragments = new RedisFragments();
        var targets = new FixedTargets(3);
        using var arguments = new RespArguments(RedisPeer.Frame("DEL", "a", "none:b", "c"));

        fragments.TryCut(arguments, 1, false, ref targets).ShouldBeFalse();

        fragments.Unrouted.ShouldBe(1);
    }

    [Fact]
    public void TryCut_SeenBefore_AllocatesNothing()
    {
        using var fragments = new RedisFragments();
        byte[] frame = RedisPeer.Frame("MGET", "a", "b", "c", "d", "e", "f", "g");
        Cut(fragments, frame);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Cut(fragments, frame);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void TryCut_RandomCommands_LosesNoByte()
    {
        var random = new Random(20260103);
        using var fragments = new RedisFragments();
        for (int round = 0; round < 300; round++)
        {
            var targets = new FixedTargets(random.Next(1, 40));
            string[] words = [.. Enumerable.Range(0, random.Next(1, 300)).Select(_ => new string((char)random.Next(256), random.Next(0, 130)))];
            using var arguments = new RespArguments(RedisPeer.Frame(["UNLINK", .. words]));
            fragments.TryCut(arguments, 1, false, ref targets).ShouldBeTrue();
            Rebuild(fragments).ShouldBe(words);
            fragments.Trim();
        }
    }

    private static string[] Rebuild(RedisFragments fragments)
    {
        string[] words = new string[fragments.Keys];
        int[] next = new int[fragments.Count];
        for (int key = 0; key < words.Length; key++)
        {
            int part = fragments.Owners[key];
            using var arguments = new RespArguments(fragments.Bytes(fragments.Parts[part]).Span);
            words[key] = Encoding.Latin1.GetString(arguments[++next[part]]);
        }

        return words;
    }

    private static void Cut(RedisFragments fragments, byte[] frame)
    {
        var targets = new FixedTargets(3);
        using var arguments = new RespArguments(frame);
        fragments.TryCut(arguments, 1, true, ref targets);
    }
}
