using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>
/// A protocol whose errors have to repeat the name and number of the call: the proxy's own do, wherever the call was when it failed, and however its
/// server answers.
/// </summary>
public sealed class EchoedRequestTests
{
    private const string Never = "Never";

    public static TheoryData<string> Orders => ["thrift", "thrift-in-order", "thrift-one-by-one"];

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task Calls_WithoutAnAnswerInTime_AreEachToldByTheirName(string codec)
    {
        await using ThriftMesh mesh = await ThriftMesh.StartAsync(
            codec, "{match: {metadata: [{name: method, value: {exact: echo}}]}, forward: {cluster: main}}, {forward: {cluster: main}, policies: {timeout: 0.5s}}");
        (ThriftEnd one, ThriftEnd two) = (await mesh.ConnectAsync(), await mesh.ConnectAsync());

        // What one call left behind is not in the error of the next.
        foreach (string end in (string[])[new string('x', 900), "", "Ending"])
        {
            await one.SendAsync(new ThriftMessage(1, Never + end, 7));
            await two.SendAsync(new ThriftMessage(1, "other" + Never + end, 7));
            ShouldTell(await one.ReadAsync(), Never + end, 7, "Timeout");
            ShouldTell(await two.ReadAsync(), "other" + Never + end, 7, "Timeout");
        }

        (await one.CallAsync("echo", 8, "on")).ShouldBe(new ThriftMessage(2, "echo", 8, "on"));
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task Call_OfADeadServer_IsToldByItsName(string codec)
    {
        await using ThriftMesh mesh = await ThriftMesh.StartAsync(
            codec, "{match: {metadata: [{name: method, value: {prefix: absent}}]}, forward: {cluster: nobody}}, {forward: {cluster: main}}");
        ThriftEnd client = await mesh.ConnectAsync();

        ShouldTell(await client.CallAsync("Close", 1), "Close", 1, "UpstreamClosed");
        ShouldTell(await client.CallAsync("absentMethod", 2), "absentMethod", 2, "ConnectFailed");
        (await client.CallAsync("echo", 3)).ShouldBe(new ThriftMessage(2, "echo", 3));
    }

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task Call_ThatIsNotForwarded_IsToldByItsName(string codec)
    {
        const string Rejected = "{match: {metadata: [{name: method, value: {exact: rejected}}]}, reject: {message: not here}}";
        const string Late = "{match: {metadata: [{name: method, value: {exact: late}}]}, forward: {cluster: main}, policies: {faults: [{delay: 0.1s, abort: {message: not today}}]}}";
        await using ThriftMesh mesh = await ThriftMesh.StartAsync(
            codec, $"{Rejected}, {Late}, {{forward: {{cluster: main}}}}", ", policies: {authorization: {deny: [{metadata: [{name: method, value: {exact: secret}}]}]}}");
        ThriftEnd client = await mesh.ConnectAsync();

        ShouldTell(await client.CallAsync("secret", 1), "secret", 1, "Denied");
        ShouldTell(await client.CallAsync("rejected", 2), "rejected", 2, "not here");
        ShouldTell(await client.CallAsync("late", 3), "late", 3, "not today");
        await client.SendAsync(new ThriftMessage(4, "secret", 4), new ThriftMessage(1, "echo", 5));
        (await client.ReadAsync()).ShouldBe(new ThriftMessage(2, "echo", 5));
    }

    /// <summary>It has gone to its server in parts, and nothing else of it is left.</summary>
    [Theory]
    [MemberData(nameof(Orders))]
    public async Task LongCall_IsToldByItsName(string codec)
    {
        await using ThriftMesh mesh = await ThriftMesh.StartAsync(codec, more: ", policies: {timeout: 0.5s}");
        ThriftEnd client = await mesh.ConnectAsync();

        ShouldTell(await client.CallAsync("longNever", 9, new string('a', 300_000)), "longNever", 9, "Timeout");
    }

    [Fact]
    public async Task Call_ThatWentToSeveralServers_IsToldByItsName()
    {
        const string Retried = "{match: {metadata: [{name: method, value: {exact: getClose}}]}, forward: {cluster: both}, policies: {retry: {num_retries: 2, budget_percent: {value: 100}}}}";
        const string Hedged = "{match: {metadata: [{name: method, value: {exact: getOvertaken}}]}, forward: {cluster: both}, policies: {timeout: 3s, hedge: {delay: 0.1s, budget_percent: {value: 100}}}}";
        const string Mirrored = "{match: {metadata: [{name: method, value: {exact: mirroredNever}}]}, forward: {cluster: main}, policies: {timeout: 0.5s, mirrors: [{cluster: other}]}}";
        await using ThriftMesh mesh = await ThriftMesh.StartAsync("thrift-in-order", $"{Retried}, {Hedged}, {Mirrored}");
        ThriftEnd client = await mesh.ConnectAsync();

        ShouldTell(await client.CallAsync("getClose", 1), "getClose", 1, "UpstreamClosed");
        ShouldTell(await client.CallAsync("getOvertaken", 2), "getOvertaken", 2, "Timeout");
        ShouldTell(await client.CallAsync("mirroredNever", 3), "mirroredNever", 3, "Timeout");

        (await mesh.Proxy.StatAsync("thrift-in-order.thrift-in-order.upstream_rq_retry")).ShouldBe(2);
        (await mesh.Proxy.StatAsync("thrift-in-order.thrift-in-order.upstream_rq_hedge")).ShouldBe(1);
        await Patience.UntilAsync(() => mesh.AskedOther.Contains("mirroredNever"), "the copy arrives", () => string.Join(' ', mesh.AskedOther));
    }

    private static void ShouldTell(ThriftMessage error, string name, int sequence, string why)
    {
        (error.Type, error.Name, error.Sequence).ShouldBe(((byte)3, name, sequence));
        error.Arguments.ShouldContain(why);
    }
}
