using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Policies of single requests where answers come in any order: what happens to one holds up no other.</summary>
public sealed class PingPongPolicyTests
{
    private const string Both = "{forward: {cluster: both}}";

    [Fact]
    public async Task Delay_HoldsUpItsRequestAlone()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 4s}]}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(Call(1, "slow", "first"), Call(2, "slow", "second"), Call(3, "echo", "third"));

        (await Next(client)).Payload.ShouldBe("third");
        (await CallAsync(client, 4, "echo", "fourth")).Payload.ShouldBe("fourth");
        PingPongMessage[] late = [await Next(client), await Next(client)];
        late.OrderBy(static one => one.Id).Select(static one => (one.Id, one.Payload)).ShouldBe([(1u, "first"), (2u, "second")]);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.delay_fault")).ShouldBe(2);
    }

    [Fact]
    public async Task DelayedRequests_BehindALongOneWayCall_AreSent()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 0.5s}]}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(Call(1, "slow", "late"), new PingPongMessage(PingPongKind.Notify, 2, "log", new string('x', 300_000)));

        (await Next(client)).Payload.ShouldBe("late");
        await Patience.UntilAsync(() => mesh.Server.Notified == 1, "the long call arrives", () => $"{mesh.Server.Notified}");
    }

    [Fact]
    public async Task DelayedRequests_AreMirroredWhenTheyAreSent()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 0.1s}], mirrors: [{cluster: other}]}}, "
            + "{match: {key_prefix: no}, forward: {cluster: main}, policies: {faults: [{delay: 0.1s, abort: {message: not today}}], mirrors: [{cluster: other}]}}");
        PingPongConnection client = mesh.Connect();
        mesh.Other.IsFrozen = true;

        (await CallAsync(client, 1, "slow", "mine")).Payload.ShouldBe("mine");
        (await CallAsync(client, 2, "no")).Kind.ShouldBe(PingPongKind.Failure);
        (await CallAsync(client, 3, "slow", "mine")).Payload.ShouldBe("mine");

        await Patience.UntilAsync(() => mesh.Other.Waiting >= 2, "a copy of each", () => $"{mesh.Other.Waiting}");
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirrored")).ShouldBe(2);
    }

    [Fact]
    public async Task DelayedRequests_BeyondTheLimitOfPendingOnes_MakeTheirClientWait()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 1s}]}}, {forward: {cluster: main}}", ", limits: {max_pending_requests: 4}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync([.. Enumerable.Range(1, 5).Select(static id => Call((uint)id, "slow", "late")), Call(6, "echo", "behind the fifth")]);

        (await Next(client)).Payload.ShouldBe("late");
        for (int i = 0; i < 4; i++)
        {
            (await Next(client)).Payload.ShouldBe("late");
        }

        (await Next(client)).Payload.ShouldBe("behind the fifth");
    }

    /// <summary>One that is due while there is no room makes nobody wait twice: the client's own delay goes on.</summary>
    [Fact]
    public async Task DelayedRequest_DueWhileItsClientWaits_LeavesThatDelayAsItIs()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 0.3s}]}}, "
            + "{match: {key_prefix: later}, forward: {cluster: main}, policies: {faults: [{delay: 1s}]}}, {forward: {cluster: main}}",
            ", limits: {max_pending_requests: 2}");
        PingPongConnection client = mesh.Connect();
        mesh.Server.IsFrozen = true;

        await client.WriteAsync(Call(1, "slow"), Call(2, "slow"), Call(3, "echo"), Call(4, "later"));
        await Patience.UntilAsync(() => mesh.Server.Waiting == 2, "one of the delayed has taken the last place", () => $"{mesh.Server.Waiting}");
        await mesh.Server.ThawAsync();

        uint[] answered = [(await Next(client)).Id, (await Next(client)).Id, (await Next(client)).Id, (await Next(client)).Id];
        answered.Order().ShouldBe([1u, 2u, 3u, 4u]);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.delay_fault")).ShouldBe(3);
    }

    [Fact]
    public async Task DelayedRequests_OfAClientThatSaidItsLast_AreAnswered()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 0.5s}]}}, "
            + "{match: {key_prefix: no}, forward: {cluster: main}, policies: {faults: [{delay: 0.5s, abort: {message: not today}}]}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(Call(1, "slow", "late"), Call(2, "no"));
        client.EndWriting();

        PingPongMessage[] answers = [await Next(client), await Next(client)];
        answers.Single(static one => one.Id == 1).Payload.ShouldBe("late");
        (answers.Single(static one => one.Id == 2) is { Kind: PingPongKind.Failure } failure ? failure.Payload : "").ShouldContain("not today");
        (await client.ReadAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task MaxRequests_CountsEachRequestInFlight_OverAllClients()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: limited}}");
        PingPongConnection[] clients = [mesh.Connect(), mesh.Connect(), mesh.Connect(), mesh.Connect()];
        mesh.Server.IsFrozen = true;
        await clients[0].WriteAsync(Call(1, "echo", "a"));
        await clients[1].WriteAsync(Call(1, "echo", "b"));
        await Patience.UntilAsync(() => mesh.Server.Waiting == 2, "two calls in flight", () => $"{mesh.Server.Waiting}");

        foreach (PingPongConnection client in clients)
        {
            PingPongMessage refused = await CallAsync(client, 9, "echo", "too many");
            (refused.Kind, refused.Payload).ShouldBe((PingPongKind.Failure, "proxy: too many calls in flight"));
        }

        await mesh.Server.ThawAsync();
        (await Next(clients[0])).Payload.ShouldBe("a");
        (await Next(clients[1])).Payload.ShouldBe("b");
        for (uint id = 2; id < 8; id++)
        {
            // One after another: each has its place back before the next.
            (await CallAsync(clients[id % 4], id, "echo", "again")).Payload.ShouldBe("again");
        }

        (await mesh.Proxy.StatAsync("cluster.limited.upstream_rq_pending_overflow")).ShouldBe(4);
    }

    [Fact]
    public async Task Hedge_AsksTheOtherServer_ForCallsThatMayBeRepeatedOnly()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Both, ", policies: {hedge: {delay: 0.5s, budget_percent: {value: 100}}}");
        PingPongConnection client = mesh.Connect();
        mesh.Server.IsFrozen = true;

        // Servers take turns: of two calls one meets the frozen one.
        await client.WriteAsync([.. Enumerable.Range(1, 4).Select(static id => Call((uint)id, "who") with { IsIdempotent = true })]);
        PingPongMessage[] answers = [await Next(client), await Next(client), await Next(client), await Next(client)];
        answers.Select(static one => one.Payload).ShouldAllBe(static payload => payload == "other who  -");
        answers.Select(static one => one.Id).Order().ShouldBe([1u, 2u, 3u, 4u]);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_hedge_won")).ShouldBe(2);

        // A slow machine may have asked twice for the others too.
        long hedged = await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_hedge");

        await client.WriteAsync(Call(5, "who"), Call(6, "who"));
        (await Next(client)).Payload.ShouldBe("other who  -");
        await mesh.Server.ThawAsync();
        (await Next(client)).Payload.ShouldBe("main who  -");
        (await CallAsync(client, 7, "echo", "no late answer before it")).Payload.ShouldBe("no late answer before it");
        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_hedge")).ShouldBe(hedged);
        (mesh.Server.RepeatedIds, mesh.Other.RepeatedIds).ShouldBe((0, 0));
    }

    [Fact]
    public async Task Metadata_IsSetAndRemoved_AndWhatTheCodecCannotWriteFailsTheCall()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: w, metadata: [{name: lane, value: {exact: s}}]}, forward: {cluster: main}, policies: {request_metadata: [{name: lane, set: z}]}}, "
            + "{match: {key_prefix: w, metadata: [{name: lane, value: {exact: r}}]}, forward: {cluster: main}, policies: {request_metadata: [{name: lane, remove: true}]}}, "
            + "{match: {key_prefix: e}, forward: {cluster: main}, policies: {request_metadata: [{name: tenant, set: globex}]}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(Call(1, "who", tenant: "acme") with { Lane = 's' }, Call(2, "who") with { Lane = 'q' }, Call(3, "who") with { Lane = 'r' });
        PingPongMessage[] answers = [await Next(client), await Next(client), await Next(client)];
        answers.OrderBy(static one => one.Id).Select(static one => one.Payload).ShouldBe(["main who acme z", "main who  q", "main who  -"]);
        (await CallAsync(client, 4, "echo")).Kind.ShouldBe(PingPongKind.Failure);
        (await CallAsync(client, 5, "who")).Payload.ShouldBe("main who  -");
    }

    [Fact]
    public async Task HashBy_SendsEqualMetadataToOneServer()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: ring, hash_by: tenant}}");
        PingPongConnection[] clients = [mesh.Connect(), mesh.Connect()];
        var seen = new HashSet<string>();
        for (int tenant = 0; tenant < 40; tenant++)
        {
            string first = (await CallAsync(clients[0], 1, "who", tenant: $"t{tenant}")).Payload;
            (await CallAsync(clients[1], 1, "who", tenant: $"t{tenant}")).Payload.ShouldBe(first);
            (await CallAsync(clients[0], 2, "who", tenant: $"t{tenant}")).Payload.ShouldBe(first);
            seen.Add(first.Split(' ')[0]);
        }

        seen.Order().ShouldBe(["main", "other"]);
    }

    /// <summary>Calls that may be answered in any order draw one by one.</summary>
    [Fact]
    public async Task WeightedRoute_SharesTheCallsOfOneClient()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{forward: {weighted_clusters: {clusters: [{name: main, weight: 1}, {name: other, weight: 3}]}}}");
        PingPongConnection client = mesh.Connect();
        int others = 0;
        for (uint call = 1; call <= 400; call++)
        {
            others += (await CallAsync(client, call, "who")).Payload.StartsWith("other", StringComparison.Ordinal) ? 1 : 0;
        }

        // 300 are expected; one in a million runs of chance is outside.
        others.ShouldBeInRange(255, 345);
    }

    [Fact]
    public async Task Routes_ThatChangeUnderTraffic_LoseNoCall()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: main}}");
        using var stop = new CancellationTokenSource();
        Task<int>[] traffic = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() => CallUntilAsync(mesh.Connect(), stop.Token)))];
        PingPongConnection client = mesh.Connect();
        for (int change = 0; change < 6; change++)
        {
            string wanted = change % 2 == 0 ? "other" : "main";
            mesh.Change($"{{forward: {{cluster: {wanted}}}}}");
            await Patience.UntilAsync(
                async () => (await CallAsync(client, (uint)change + 1, "who")).Payload.StartsWith(wanted, StringComparison.Ordinal), "the open connection goes elsewhere");
        }

        await stop.CancelAsync();
        (await Task.WhenAll(traffic)).ShouldAllBe(static calls => calls > 0);
    }

    [Fact]
    public async Task Calls_WithoutAnEnd_AreInTheRequestLog()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("meshl4-test-").FullName, "calls.log");
        string log = $"{{name: f, typed_config: {{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: {path}, log_format: {{text_format_source: {{inline_string: \"%CONNECTION_TERMINATION_DETAILS%\\n\"}}}}}}}}";
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: r, forward: {cluster: main}}", $", policies: {{request_log: {{sampling: {{numerator: 100}}, access_log: [{log}]}}}}");
        PingPongConnection client = mesh.Connect();
        PingPongConnection leaving = mesh.Connect();
        await leaving.WriteAsync(Call(1, "never"));
        await leaving.WriteAsync(new PingPongMessage(PingPongKind.Notify, 2, "log", "taken"));
        await Patience.UntilAsync(() => mesh.Server.Notified == 1, "the server has the call", () => "");
        leaving.Reset();

        // Its server has not said a word.
        string[] Lines() => File.Exists(path) ? [.. File.ReadAllLines(path).Order()] : [];
        await Patience.UntilAsync(() => Lines() is ["pingpong_call route=r unfinished", "pingpong_notify route=r sent"], "the line of the call", () => string.Join('\n', Lines()));

        await client.WriteAsync(Call(1, "never"));
        await client.WriteAsync(Call(2, "close"));
        (await Next(client)).Kind.ShouldBe(PingPongKind.Failure);
        (await Next(client)).Kind.ShouldBe(PingPongKind.Failure);
        (await CallAsync(client, 3, "echo", "on")).Payload.ShouldBe("on");

        await Patience.UntilAsync(() => Lines().Length >= 5, "five lines", () => string.Join('\n', Lines()));
        Lines().ShouldBe(["pingpong_call route=r error", "pingpong_call route=r error", "pingpong_call route=r response", "pingpong_call route=r unfinished", "pingpong_notify route=r sent"]);
    }

    private static async Task<int> CallUntilAsync(PingPongConnection client, CancellationToken stop)
    {
        uint calls = 0;
        while (!stop.IsCancellationRequested)
        {
            PingPongMessage answer = await CallAsync(client, ++calls, "who");
            (answer.Kind, answer.Id).ShouldBe((PingPongKind.Result, calls));
        }

        return (int)calls;
    }
}
