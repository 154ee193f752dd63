using System.Diagnostics;
using System.Text;
using MeshL4.TestKit;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisRuleTests
{
    private static readonly string Root = FindRoot();

    [Fact]
    public async Task GeneratedFiles_AgainstTheRealServer_AreCurrentAndMissNoCommand()
    {
        // The script fails on a command without a rule, and on a rule without a command.
        string fresh = Directory.CreateTempSubdirectory("redis-commands").FullName;
        var start = new ProcessStartInfo(Path.Combine(Root, "eng/redis-commands.sh"), ["--out", fresh]) { RedirectStandardError = true };
        using Process script = Process.Start(start)!;
        string errors = await script.StandardError.ReadToEndAsync();
        await script.WaitForExitAsync();
        script.ExitCode.ShouldBe(0, errors);

        string[] files = [.. Directory.EnumerateFiles(fresh, "*", SearchOption.AllDirectories)];
        files.Length.ShouldBe(4);
        foreach (string file in files)
        {
            string path = Path.GetRelativePath(fresh, file);
            File.ReadAllText(Path.Combine(Root, path)).ShouldBe(File.ReadAllText(file), $"{path} is not what eng/redis-commands.sh makes");
        }

        Directory.Delete(fresh, recursive: true);
    }

    [Theory]
    [InlineData("GET", RedisRule.Key, RedisMergeKind.None)]
    [InlineData("MGET", RedisRule.Split, RedisMergeKind.Interleave)]
    [InlineData("MSET", RedisRule.Split, RedisMergeKind.AllOk)]
    [InlineData("MSETNX", RedisRule.Key, RedisMergeKind.None)]
    [InlineData("UNLINK", RedisRule.Split, RedisMergeKind.Sum)]
    [InlineData("BLPOP", RedisRule.Blocking, RedisMergeKind.None)]
    [InlineData("DBSIZE", RedisRule.Fanout, RedisMergeKind.Sum)]
    [InlineData("REPLICAOF", RedisRule.Refuse, RedisMergeKind.None)]
    [InlineData("OBJECT", RedisRule.Key, RedisMergeKind.None)]
    [InlineData("CLIENT", RedisRule.Container, RedisMergeKind.None)]
    public void Rule_OfACommand_IsWhatTheDocumentSays(string name, RedisRule rule, RedisMergeKind merge)
    {
        RedisCommand command = RedisCommandTable.Get(RedisCommandTable.Find(Encoding.UTF8.GetBytes(name)));
        (command.Rule, command.Merge).ShouldBe((rule, merge));
    }

    [Theory]
    [InlineData("client", "reply", RedisRule.Local)]
    [InlineData("CLIENT", "Tracking", RedisRule.Pin)]
    [InlineData("script", "LOAD", RedisRule.Fanout)]
    [InlineData("memory", "usage", RedisRule.Key)]
    [InlineData("cluster", "meet", RedisRule.Refuse)]
    public void FindSubcommand_InAnyCase_GivesItsRule(string container, string name, RedisRule rule) =>
        Sub(container, name)!.Rule.ShouldBe(rule);

    [Theory]
    [InlineData("client", "setinfo")]
    [InlineData("client", "")]
    [InlineData("get", "x")]
    public void FindSubcommand_NoneOfThatName_IsNull(string container, string name) => Sub(container, name).ShouldBeNull();

    [Fact]
    public void FindSubcommand_CanBeCalledOften_AllocatesNothing()
    {
        byte[] word = [.. "unblock"u8];
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                RedisCommandTable.FindSubcommand(RedisCommandId.Client, word);
            }
        }).ShouldBe(0);
    }

    private static RedisCommand? Sub(string container, string name) =>
        RedisCommandTable.FindSubcommand(RedisCommandTable.Find(Encoding.UTF8.GetBytes(container)), Encoding.UTF8.GetBytes(name));

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "MeshL4.sln")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }
}
