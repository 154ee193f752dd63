using System.Globalization;
using System.Text.RegularExpressions;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>The log of requests: a line for each, however it ended, and what its filters leave out.</summary>
public sealed partial class PingPongRequestLogTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("meshl4-test-").FullName;

    [Fact]
    public async Task EveryRequest_HasALine_HoweverItEnded()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: denied, match: {key_prefix: den}, forward: {cluster: main}, policies: {authorization: {deny: [{name: d, services: [{prefix: den}]}]}}}, "
            + "{name: limited, match: {key_prefix: lim}, forward: {cluster: main}, policies: {rate_limit: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 3600s}}}, "
            + "{name: abort, match: {key_prefix: abo}, forward: {cluster: main}, policies: {faults: [{abort: {message: no}}]}}, "
            + "{name: late, match: {key_prefix: late}, forward: {cluster: main}, policies: {faults: [{delay: 0.1s, abort: {message: no}}]}}, "
            + "{name: nobody, match: {key_prefix: nob}, forward: {cluster: nobody}}, "
            + "{name: absent, match: {key_prefix: gon}, forward: {cluster: absent}}, "
            + "{name: rejected, match: {key_prefix: rej}, reject: {message: no}}, "
            + "{name: full, match: {key_prefix: never}, forward: {cluster: single}, policies: {timeout: 1s}}, "
            + "{name: other, match: {key_prefix: who}, forward: {cluster: other}}, "
            + "{name: main, match: {key_prefix: e}, forward: {cluster: main}}",
            Policies(Log("all", "%CONNECTION_TERMINATION_DETAILS% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST%")));
        PingPongConnection client = mesh.Connect();
        uint id = 0;
        foreach (string service in (string[])["echo", "denied", "lim", "lim", "abort", "late", "nobody", "gone", "rejected", "unrouted", "who"])
        {
            (await CallAsync(client, ++id, service)).Id.ShouldBe(id);
        }

        await client.WriteAsync(new PingPongMessage(PingPongKind.Notify, ++id, "echo"), new PingPongMessage(PingPongKind.Notify, ++id, "denied"));
        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, ++id, "eticker", "2"));
        while ((await Next(client)).Kind != PingPongKind.End)
        {
        }

        await client.WriteAsync(Call(++id, "never"), Call(++id, "never"));
        PingPongMessage[] failures = [await Next(client), await Next(client)];
        failures.ShouldAllBe(static one => one.Kind == PingPongKind.Failure);

        string[] expected =
        [
            "pingpong_call route=- error NR - -",
            "pingpong_call route=abort error FI - -",
            "pingpong_call route=absent error NC absent -",
            "pingpong_call route=denied error UAEX - -",
            "pingpong_call route=full error UO single -",
            "pingpong_call route=full error UT single ADDRESS",
            "pingpong_call route=late error DI,FI - -",
            "pingpong_call route=limited error RL - -",
            "pingpong_call route=limited response - main MAIN",
            "pingpong_call route=main response - main MAIN",
            "pingpong_call route=nobody error UF nobody ADDRESS",
            "pingpong_call route=other response - other OTHER",
            "pingpong_call route=rejected error - - -",
            "pingpong_notify route=denied error UAEX - -",
            "pingpong_notify route=main sent - main MAIN",
            "pingpong_subscribe route=main response - main MAIN",
        ];
        string[] Seen() =>
        [
            .. Lines("all")
                .Select(line => line.Contains("single", StringComparison.Ordinal) ? line : line.Replace($"{mesh.Server.EndPoint}", "MAIN").Replace($"{mesh.Other.EndPoint}", "OTHER"))
                .Select(static line => Address().Replace(line, "ADDRESS")).Order(StringComparer.Ordinal),
        ];
        await Patience.UntilAsync(() => Seen().Length >= expected.Length, "a line for each", () => string.Join('\n', Seen()));
        Seen().ShouldBe(expected.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Filters_ChooseTheLines()
    {
        const string form = "%CONNECTION_TERMINATION_DETAILS% %RESPONSE_FLAGS% %DURATION%";
        const string slow = "duration_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: x}}}";
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: abort, match: {key_prefix: abort}, forward: {cluster: main}, policies: {faults: [{abort: {message: no}}]}}, {name: never, match: {key_prefix: never}, forward: {cluster: main}, policies: {timeout: 0.5s}}, {name: main, forward: {cluster: main}}",
            Policies(
                string.Join(
                    ", ",
                    Log("all", form),
                    Log("slow", form, slow),
                    Log("late", form, "response_flag_filter: {flags: [UT, UF]}"),
                    Log("flagged", form, "response_flag_filter: {}"),
                    Log("none", form, "runtime_filter: {percent_sampled: {numerator: 0}}"),
                    Log("both", form, $"and_filter: {{filters: [{{{slow}}}, {{response_flag_filter: {{flags: [FI]}}}}]}}"),
                    Log("either", form, "or_filter: {filters: [{response_flag_filter: {flags: [FI]}}, {response_flag_filter: {flags: [UT]}}]}"),
                    Log("alive", form, "not_health_check_filter: {}"))));
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "echo")).Kind.ShouldBe(PingPongKind.Result);
        (await CallAsync(client, 2, "never")).Kind.ShouldBe(PingPongKind.Failure);
        (await CallAsync(client, 3, "abort")).Kind.ShouldBe(PingPongKind.Failure);

        await Patience.UntilAsync(() => Lines("all").Length == 3, "three lines", () => string.Join('\n', Lines("all")));
        string[] all = Lines("all");
        all.Select(static line => line[..line.LastIndexOf(' ')]).ShouldBe(
            ["pingpong_call route=main response -", "pingpong_call route=never error UT", "pingpong_call route=abort error FI"]);
        string[] slowOnes = [.. all.Where(static line => Took(line) >= 400)];
        string[] slowAborted = [.. all[2..].Where(static line => Took(line) >= 400)];

        // Each file is written in its own time.
        await Patience.UntilAsync(
            () => Lines("alive").Length == 3 && Lines("either").Length == 2 && Lines("flagged").Length == 2 && Lines("late").Length == 1
                && Lines("slow").Length >= slowOnes.Length && Lines("both").Length >= slowAborted.Length,
            "the others",
            () => string.Join('\n', Lines("slow")));
        Lines("slow").ShouldBe(slowOnes);
        Lines("slow").ShouldContain(all[1]);
        Lines("late").ShouldBe([all[1]]);
        Lines("flagged").ShouldBe(all[1..]);
        Lines("either").ShouldBe(all[1..]);
        Lines("alive").ShouldBe(all);
        Lines("both").ShouldBe(slowAborted);
        Lines("none").ShouldBeEmpty();
    }

    [Fact]
    public async Task AnotherLog_HoldsForTheNextRequest_OnAnOpenConnectionToo()
    {
        const string routes = "{name: main, match: {key_prefix: e}, forward: {cluster: main}}";
        const string form = "%CONNECTION_TERMINATION_DETAILS%";
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(routes, Policies(Log("old", form)));
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "echo")).Kind.ShouldBe(PingPongKind.Result);
        (await CallAsync(client, 2, "unrouted")).Kind.ShouldBe(PingPongKind.Failure);

        mesh.Change(routes, Policies(Log("new", form)));
        uint id = 2;
        await Patience.UntilAsync(
            () =>
            {
                CallAsync(client, ++id, "unrouted").GetAwaiter().GetResult();
                return Lines("new").Length > 0;
            },
            "a line in the new file",
            () => string.Join('\n', Lines("old")));
        (await CallAsync(client, ++id, "echo")).Kind.ShouldBe(PingPongKind.Result);
        await Patience.UntilAsync(() => Lines("new").Contains("pingpong_call route=main response"), "the call's line", () => "");
        Lines("new").ShouldContain("pingpong_call route=- error");
        await Patience.UntilAsync(() => Lines("old").Length >= 2, "the lines before the change", () => string.Join('\n', Lines("old")));
        Lines("old")[..2].ShouldBe(["pingpong_call route=main response", "pingpong_call route=- error"]);
        Lines("old").Count(static line => line == "pingpong_call route=main response").ShouldBe(1);
    }

    [Fact]
    public async Task WhatEndsWithItsConnection_HasALine()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: slow, match: {key_prefix: slow}, forward: {cluster: main}, policies: {faults: [{delay: 3600s}]}}, {name: main, forward: {cluster: main}}",
            Policies(Log("all", "%CONNECTION_TERMINATION_DETAILS% %RESPONSE_FLAGS%")));
        PingPongConnection leaving = mesh.Connect();
        await leaving.WriteAsync(Call(1, "slow"));
        await Patience.UntilAsync(() => mesh.Proxy.StatAsync("pingpong.pingpong.delay_fault").GetAwaiter().GetResult() == 1, "the call waits", () => "");
        leaving.Reset();
        await Patience.UntilAsync(() => Lines("all").Length == 1, "a line", () => "");

        PingPongConnection client = mesh.Connect();
        await client.WriteAsync(Call(1, "cut"));
        await Patience.UntilAsync(() => Lines("all").Length == 2, "a line", () => "");
        Lines("all").ShouldBe(["pingpong_call route=slow unfinished DC,DI", "pingpong_call route=main unfinished UC"]);
    }

    [Fact]
    public async Task StartTime_IsWhenTheRequestCame_AndADelayIsPartOfIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: r, forward: {cluster: main}}", Policies(Log("all", "%RESPONSE_FLAGS% %START_TIME% %DURATION%"), "faults: [{delay: 0.4s}]"));
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "echo")).Kind.ShouldBe(PingPongKind.Result);
        DateTimeOffset answered = DateTimeOffset.UtcNow;

        await Patience.UntilAsync(() => Lines("all").Length == 1, "a line", () => "");
        string[] words = Lines("all")[0].Split(' ');
        words[0].ShouldBe("DI");
        DateTimeOffset.Parse(words[1], CultureInfo.InvariantCulture).ShouldBeLessThan(answered.AddMilliseconds(-300));
        Took(Lines("all")[0]).ShouldBeGreaterThanOrEqualTo(300);
    }

    private static long Took(string line) => long.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);

    private static string Policies(string logs, string more = "") =>
        $", policies: {{request_log: {{access_log: [{logs}]}}{(more.Length > 0 ? ", " : "")}{more}}}";

    [GeneratedRegex(@"127\.0\.0\.1:\d+")]
    private static partial Regex Address();

    private string Log(string name, string form, string filter = "") =>
        $"{{name: f, {(filter.Length > 0 ? $"filter: {{{filter}}}, " : "")}typed_config: {{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, "
        + $"path: {Path.Combine(_folder, name)}, log_format: {{text_format_source: {{inline_string: \"{form}\\n\"}}}}}}}}";

    private string[] Lines(string name) => File.Exists(Path.Combine(_folder, name)) ? File.ReadAllLines(Path.Combine(_folder, name)) : [];
}
