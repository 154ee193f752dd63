using System.Text;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.Tree;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Decoding;

public sealed class HostileTextTests
{
    [Theory]
    [InlineData("", "empty")]
    [InlineData("# nothing", "empty")]
    [InlineData("a: [", "not YAML")]
    [InlineData("a: b: c", "not YAML")]
    [InlineData("node: {}\n---\nnode: {}", "more than one document")]
    [InlineData("node: !!python/object {}", "tag")]
    [InlineData("? [a]\n: b", "cannot be a key")]
    [InlineData("node: *nowhere", "stands for nothing")]
    [InlineData("node: &a {metadata: *a}", "stands for nothing")]
    [InlineData("node: &a {id: x}\nadmin: {<<: *a}", "merge keys")]
    public void Read_YamlThatIsRefused_SaysWhy(string yaml, string reason)
    {
        (_, IssueCollector issues) = Reading.Yaml<Bootstrap>(yaml);

        issues.Only().Message.ShouldContain(reason);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{\"node\": {},}", "not JSON")]
    [InlineData("{} {}", "not JSON")]
    [InlineData("{\"node\": {\"id\": \"\\ud800\"}}", "surrogate")]
    [InlineData("{\"node\": {\"id\": \"a\", \"id\": \"b\"}}", "twice")]
    public void Read_JsonThatIsRefused_SaysWhy(string json, string reason) =>
        Reading.Json<Bootstrap>(json).Issues.Only().Message.ShouldContain(reason);

    [Fact]
    public void Read_Duplicate_NamesBothLines()
    {
        ConfigIssue issue = Reading.Yaml<Bootstrap>("node:\n  id: a\n  cluster: b\n  id: c\n").Issues.Only();

        (issue.Path, issue.Line).ShouldBe(("node.id", 4));
        issue.Message.ShouldContain("line 2");
    }

    [Fact]
    public void Read_SharedAnchor_IsTakenInBothPlaces()
    {
        (Node? node, IssueCollector issues) = Reading.Yaml<Node>("metadata: {a: &x {k: v}, b: *x}");

        issues.Issues.ShouldBeEmpty();
        node!.Metadata.Fields["b"].StructValue.Fields["k"].StringValue.ShouldBe("v");
    }

    [Fact]
    public void Read_AliasBomb_IsRefusedBeforeItGrows()
    {
        StringBuilder yaml = new("metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 30; i++)
            yaml.Append($"  a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");

        (Node? node, IssueCollector issues) = Reading.Yaml<Node>(yaml.ToString());

        node.ShouldBeNull();
        issues.Only().Message.ShouldContain($"more than {TreeBuilder.MaxAliasedNodes}");
    }

    [Fact]
    public void Read_AliasChain_CannotNestBeyondTheLimit()
    {
        StringBuilder yaml = new("metadata:\n  a0: &a0 [x]\n");
        for (int i = 1; i < 100; i++)
            yaml.Append($"  a{i}: &a{i} [*a{i - 1}]\n");

        Reading.Yaml<Node>(yaml.ToString()).Issues.Only().Message.ShouldContain("deeper than 64");
    }

    [Theory]
    [InlineData('[', false)]
    [InlineData('{', false)]
    [InlineData('[', true)]
    public void Read_TenThousandLevels_AreRefused(char open, bool json)
    {
        byte[] text = Encoding.UTF8.GetBytes(new string(open, 10_000));

        (Node? node, IssueCollector issues) = Reading.Read<Node>(text, json ? ConfigFormat.Json : ConfigFormat.Yaml, ConfigSourceKind.File);

        node.ShouldBeNull();
        issues.HasErrors.ShouldBeTrue();
    }

    [Fact]
    public void Read_BlockNestingInYaml_IsRefused()
    {
        StringBuilder yaml = new();
        for (int i = 0; i < 1000; i++)
            yaml.Append(' ', i).Append("a:\n");

        Reading.Yaml<Node>(yaml.ToString()).Issues.Only().Message.ShouldContain("deeper than 64");
    }

    [Fact]
    public void Read_FourMegabytesInOneScalar_AreTaken()
    {
        (Node? node, IssueCollector issues) = Reading.Yaml<Node>($"id: \"{new string('x', 4 << 20)}\"");

        issues.Issues.ShouldBeEmpty();
        node!.Id.Length.ShouldBe(4 << 20);
    }

    [Fact]
    public void Read_FourMegabytesOfWrongFields_KeepABoundedNumberOfIssues()
    {
        StringBuilder yaml = new();
        for (int i = 0; yaml.Length < 4 << 20; i++)
            yaml.Append($"wrong_{i:d20}: 1\n");

        (_, IssueCollector issues) = Reading.Yaml<Node>(yaml.ToString());

        issues.Issues.Count.ShouldBe(IssueCollector.MaxKept);
        issues.ErrorCount.ShouldBeGreaterThan(100_000);
    }

    [Fact]
    public void Read_TextOverTheLimit_IsRefusedUnread() =>
        Reading.Read<Node>(new byte[ConfigMessageReader.MaxBytes + 1], ConfigFormat.Yaml, ConfigSourceKind.File).Issues.Only().Message.ShouldContain("limit");

    [Fact]
    public void Read_BytesThatAreNotUtf8_AreRefused() =>
        Reading.Read<Node>([0x69, 0x64, 0x3a, 0x20, 0xff], ConfigFormat.Yaml, ConfigSourceKind.File).Issues.Only().Message.ShouldContain("UTF-8");

    [Fact]
    public void Read_RandomText_NeverThrows()
    {
        Random random = new(11);
        const string Alphabet = "ab:-[]{}&*!|>'\"%@`#,? \n\t\\<~01.";
        for (int round = 0; round < 20_000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => Alphabet[random.Next(Alphabet.Length)]));
            (Node? node, IssueCollector issues) = Reading.Yaml<Node>(text);
            (node is not null || issues.HasErrors).ShouldBeTrue(text);
        }
    }
}
