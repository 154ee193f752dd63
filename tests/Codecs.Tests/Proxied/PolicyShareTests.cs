using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Policies that take a share of the requests, and the addresses that rules name. Of 2,000 calls a quarter is between 15 and 35 %: chance leaves that once in ages.</summary>
public sealed class PolicyShareTests
{
    private const int Calls = 2000;
    private const int Least = 300;
    private const int Most = 700;

    [Fact]
    public async Task Mirror_OfAFraction_GetsThatShare()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: r, forward: {cluster: main}}", ", policies: {mirrors: [{cluster: other, fraction: {numerator: 25}}]}");
        (await AskAsync(mesh)).ShouldBe((Calls, 0));
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirrored")).ShouldBeInRange(Least, Most);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirror_skipped")).ShouldBe(0);
    }

    [Fact]
    public async Task Abort_OfAFraction_TakesThatShare()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: r, forward: {cluster: main}}", ", policies: {faults: [{fraction: {numerator: 25}, abort: {message: no}}]}");
        (int results, int failures) = await AskAsync(mesh);
        failures.ShouldBeInRange(Least, Most);
        results.ShouldBe(Calls - failures);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.error_fault")).ShouldBe(failures);
    }

    [Fact]
    public async Task Delay_OfAFraction_TakesThatShare()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: r, forward: {cluster: main}}", ", policies: {faults: [{fraction: {numerator: 250000, denominator: MILLION}, delay: 0.01s}]}");
        (await AskAsync(mesh)).ShouldBe((Calls, 0));
        (await mesh.Proxy.StatAsync("pingpong.pingpong.delay_fault")).ShouldBeInRange(Least, Most);
    }

    [Fact]
    public async Task Log_OfASample_HasThatShare_AndEveryFailure()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("meshl4-test-").FullName, "calls.log");
        string log = $"{{name: f, typed_config: {{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: {path}, log_format: {{text_format_source: {{inline_string: \"%CONNECTION_TERMINATION_DETAILS%\\n\"}}}}}}}}";
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: no, match: {key_prefix: no}, reject: {message: no}}, {name: r, forward: {cluster: main}}",
            $", policies: {{request_log: {{sampling: {{numerator: 25}}, access_log: [{log}]}}}}");
        (await AskAsync(mesh)).ShouldBe((Calls, 0));
        (await AskAsync(mesh, "no")).ShouldBe((0, Calls));

        // A line may be held for a second before it is written; those of the failures come last.
        int Failures() => File.Exists(path) ? File.ReadLines(path).Count(static line => line == "pingpong_call route=no error") : 0;
        await Patience.UntilAsync(() => Failures() == Calls, "every failure", () => $"{Failures()}");
        File.ReadLines(path).Count(static line => line == "pingpong_call route=r response").ShouldBeInRange(Least, Most);
    }

    [Fact]
    public async Task Authorization_BySources_GoesByTheClientsAddress()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: here, match: {key_prefix: here}, forward: {cluster: main}, policies: {authorization: {allow: [{sources: [{address_prefix: 10.0.0.0, prefix_len: 8}, {address_prefix: 127.0.0.0, prefix_len: 8}]}]}}}, "
            + "{name: elsewhere, match: {key_prefix: elsewhere}, forward: {cluster: main}, policies: {authorization: {allow: [{sources: [{address_prefix: 10.0.0.0, prefix_len: 8}]}]}}}, "
            + "{name: not, match: {key_prefix: not}, forward: {cluster: main}, policies: {authorization: {deny: [{sources: [{address_prefix: 127.0.0.1, prefix_len: 32}]}]}}}, "
            + "{name: others, match: {key_prefix: others}, forward: {cluster: main}, policies: {authorization: {deny: [{sources: [{address_prefix: 127.0.0.2, prefix_len: 32}]}]}}}");
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "here")).Kind.ShouldBe(PingPongKind.Result);
        (await CallAsync(client, 2, "elsewhere")).Kind.ShouldBe(PingPongKind.Failure);
        (await CallAsync(client, 3, "not")).Kind.ShouldBe(PingPongKind.Failure);
        (await CallAsync(client, 4, "others")).Kind.ShouldBe(PingPongKind.Result);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_denied")).ShouldBe(2);
    }

    /// <summary>Calls in batches on one connection.</summary>
    /// <returns>Results, and failures.</returns>
    private static async Task<(int Results, int Failures)> AskAsync(PingPongMesh mesh, string service = "echo")
    {
        const int batch = 100;
        using PingPongConnection client = mesh.Connect();
        int results = 0;
        for (int sent = 0; sent < Calls; sent += batch)
        {
            await client.WriteAsync([.. Enumerable.Range(sent + 1, batch).Select(id => Call((uint)id, service))]);
            for (int i = 0; i < batch; i++)
            {
                results += (await Next(client)).Kind == PingPongKind.Result ? 1 : 0;
            }
        }

        return (results, Calls - results);
    }
}
