using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>What is left of a rate limit when the configuration around it changes.</summary>
public sealed class RateLimitUpdateTests
{
    private const string Limit = "{rate_limit: {max_tokens: 2, tokens_per_fill: 1, fill_interval: 3600s}}";
    private const string Limited = "{forward: {cluster: main}, policies: " + Limit + "}";
    private const string Over = "proxy: rate limit exceeded";

    /// <summary>A route before it, another setting of the proxy, which makes it another chain, and both.</summary>
    [Theory]
    [InlineData(Limited, "", "")]
    [InlineData(Limited, "", ", idle_timeout: 77s")]
    [InlineData("{forward: {cluster: main}}", ", policies: " + Limit, "")]
    [InlineData("{forward: {cluster: main}}", ", policies: " + Limit, ", idle_timeout: 77s")]
    public async Task ChangeBesideIt_LeavesItAsEmptyAsItWas(string route, string policies, string more)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Versioned("one", route), policies);
        PingPongConnection client = mesh.Connect();
        await UseUpAsync(client);

        mesh.Change(Versioned("two", route), policies + more);

        PingPongConnection late = await ConnectToAsync(mesh, "two");
        (await CallAsync(late, 2, "echo")).Payload.ShouldBe(Over);
        if (more.Length == 0)
        {
            (await CallAsync(client, 3, "echo")).Payload.ShouldBe(Over);
        }
    }

    [Fact]
    public async Task ChangeOfItsOwn_FillsIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Versioned("one", Limited));
        await UseUpAsync(mesh.Connect());

        mesh.Change(Versioned("two", Limited.Replace("max_tokens: 2", "max_tokens: 3", StringComparison.Ordinal)));

        PingPongConnection client = await ConnectToAsync(mesh, "two");
        for (uint id = 1; id <= 3; id++)
        {
            (await CallAsync(client, id, "echo", "taken")).Payload.ShouldBe("taken");
        }

        (await CallAsync(client, 4, "echo")).Payload.ShouldBe(Over);
    }

    /// <summary>A route that no rate limit asks, and that tells which configuration is in use.</summary>
    private static string Versioned(string version, string route) => $"{{match: {{key_prefix: version}}, reject: {{message: {version}}}}}, {(version == "one" ? "" : "{match: {key_prefix: more}, forward: {cluster: other}}, ")}{route}";

    private static async Task UseUpAsync(PingPongConnection client)
    {
        (await CallAsync(client, 1, "echo", "taken")).Payload.ShouldBe("taken");
        (await CallAsync(client, 1, "echo", "taken")).Payload.ShouldBe("taken");
        (await CallAsync(client, 1, "echo")).Payload.ShouldBe(Over);
    }

    private static async Task<PingPongConnection> ConnectToAsync(PingPongMesh mesh, string version)
    {
        PingPongConnection? found = null;
        await Patience.UntilAsync(
            async () =>
            {
                PingPongConnection client = mesh.Connect();
                try
                {
                    string used = (await CallAsync(client, 1, "version")).Payload;
                    found = used.EndsWith(version, StringComparison.Ordinal) ? client : null;
                }
                catch (IOException)
                {
                    // It came while the chain was still the one before, and went with that.
                }

                return found is not null;
            },
            "the change is in use",
            () => mesh.Proxy.Said);
        return found!;
    }
}
