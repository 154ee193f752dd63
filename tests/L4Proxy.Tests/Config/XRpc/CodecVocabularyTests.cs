using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

/// <summary>Names that a codec declares, and those that its frames bring.</summary>
public sealed class CodecVocabularyTests
{
    private static readonly CodecTraits Closed = new("closed", FrameOrder.Fifo, Side.Downstream) { Methods = ["other", "call"] };

    private static readonly CodecTraits Open = Closed with
    {
        Name = "open", Meta = [new MetaKey("method", MetaTier.Prefix), new MetaKey("service", MetaTier.Prefix)], ServiceMeta = 1, KeyMeta = 1,
    };

    [Fact]
    public void CodecThatCarriesMethodNames_TakesAny() => Told(Open, static one => one.CheckMethod, "sayHello").ShouldBeEmpty();

    [Fact]
    public void UnknownCodec_IsToldElsewhere_AndTakesEverything()
    {
        Told(null, static one => one.CheckMethod, "x").ShouldBeEmpty();
        Told(null, static one => one.CheckMetadata, "x").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("CALL", "")]
    [InlineData("cal", "'cal' is no method that the codec closed tells from others; did you mean 'call'?")]
    [InlineData("xy", "'xy' is no method that the codec closed tells from others")]
    [InlineData("OTHER", "")]
    public void ClosedSet_TakesItsNames_InAnyCase(string name, string expected) => Told(Closed, static one => one.CheckMethod, name).ShouldBe(expected);

    [Fact]
    public void CodecWithoutMetadata_SaysSo() => Told(Closed, static one => one.CheckMetadata, "lane").ShouldBe("'lane' is no metadata of the codec closed, which has none");

    [Fact]
    public void ServiceAndKey_AreForCodecsThatHaveThem()
    {
        Told(Closed, static one => (_, scope) => one.CheckKey(scope), "").ShouldBe("requests of the codec closed have no key");
        Told(Closed, static one => (_, scope) => one.CheckService(scope), "").ShouldBe("requests of the codec closed call no service");
        Told(Open, static one => (_, scope) => one.CheckKey(scope), "").ShouldBeEmpty();
        Told(Open, static one => (_, scope) => one.CheckService(scope), "").ShouldBeEmpty();
    }

    [Fact]
    public void Hedges_AreNotForCodecsWithOneRequestAtATime()
    {
        Told(Closed with { Order = FrameOrder.PingPong }, static one => (_, scope) => one.CheckHedges(scope), "")
            .ShouldBe("requests of the codec closed cannot be hedged: a connection has one at a time");
        Told(Closed, static one => (_, scope) => one.CheckHedges(scope), "").ShouldBeEmpty();
        Told(null, static one => (_, scope) => one.CheckHedges(scope), "").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("flushal", "flushall")]
    [InlineData("flusahll", "flushall")]
    [InlineData("gt", "get")]
    [InlineData("x", null)]
    [InlineData("quite something else", null)]
    public void NearestName_IsTheOneWithTheFewestChanges_IfThereIsOneNear(string name, string? expected)
        => NearestName.Of(name, ["set", "get", "flushall", "flushdb"]).ShouldBe(expected);

    private static string Told(CodecTraits? codec, Func<CodecVocabulary, Action<string, DecodeScope>> check, string name)
    {
        var issues = new IssueCollector();
        check(new CodecVocabulary(codec))(name, new DecodeScope(issues, ""));
        return string.Join('\n', issues.Issues.Select(static issue => issue.Message));
    }
}
