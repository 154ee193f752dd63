using System.Text;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Attributes of version 3, which a server says ahead of an answer: to the client they come as they would without a proxy.</summary>
public sealed class RedisAttributeTests : IClassFixture<RedisAttributeTests.World>
{
    private const string Mark = "the mark.";

    /// <summary>Ahead of an answer, between others, of commands that are split, and inside the answer of a transaction.</summary>
    private static readonly string[] Lines =
    [
        "DEBUG PROTOCOL ATTRIB", "SET a 1", "DEBUG PROTOCOL ATTRIB", "GET a", "MGET a b c d", "DEBUG PROTOCOL ATTRIB", "DEL a b c d",
        "MULTI", "INCR a", "DEBUG PROTOCOL ATTRIB", "EXEC", "GET a", "DEBUG PROTOCOL ATTRIB",
    ];

    private readonly World _world;

    public RedisAttributeTests(World world) => _world = world;

    [Theory]
    [InlineData("one")]
    [InlineData("ring")]
    [InlineData("ruled")]
    public void Answers_WithAttributes_AreThoseOfTheServer(string listener)
    {
        string direct = Ask(_world.Direct.Port, listener);
        direct.Split("|1\r\n$14\r\nkey-popularity\r\n").Length.ShouldBeGreaterThan(4, direct);
        Ask(_world.Port(listener), listener).ShouldBe(direct);
    }

    private static string Ask(int port, string listener)
    {
        using Call client = Call.To(port);
        client.Hello(3);
        client.Send(string.Concat(Lines.Select(static line => line + "\r\n")) + $"ECHO \"{Mark}\"\r\n");
        var heard = new StringBuilder();
        while (!heard.ToString().EndsWith(Mark, StringComparison.Ordinal))
        {
            heard.Append(client.Take(1));
        }

        return heard.ToString();
    }

    public sealed class World : IDisposable
    {
        private readonly Dictionary<string, int> _ports = new() { ["one"] = Ports.Free(), ["ring"] = Ports.Free(), ["ruled"] = Ports.Free() };
        private readonly Peer[] _peers = [WithDebug(), WithDebug(), WithDebug()];
        private readonly Sidecar _proxy;

        public World() => _proxy = Sidecar.Start(new Boot()
            .Listen("one", _ports["one"], Boot.Chain(Boot.XRpc("{forward: {cluster: one}}")))
            .Listen("ring", _ports["ring"], Boot.Chain(Boot.Redis("catch_all_route: {cluster: ring}")))
            .Listen("ruled", _ports["ruled"], Boot.Chain(Boot.Tcp("one")))
            .CodecRules($"{{port: {_ports["ruled"]}, codec: redis}}")
            .With(Boot.Cluster("one", [_peers[1].Address]), Boot.Cluster("ring", [_peers[1].Address, _peers[2].Address], ", lb_policy: RING_HASH")));

        internal Peer Direct => _peers[0];

        public void Dispose()
        {
            _proxy.Dispose();
            Array.ForEach(_peers, static peer => peer.Dispose());
        }

        internal int Port(string listener) => _ports[listener];

        private static Peer WithDebug() => Peer.Redis("--enable-debug-command", "yes");
    }
}
