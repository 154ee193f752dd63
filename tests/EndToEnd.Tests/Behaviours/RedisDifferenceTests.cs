using System.Text.RegularExpressions;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Random pipelines, cut anywhere, give byte for byte the same answers through the proxy as from a server directly.</summary>
public sealed partial class RedisDifferenceTests : IClassFixture<RedisDifferenceTests.World>
{
    private const int Rounds = 60;

    // Refused here inside MULTI: the one difference that is meant.
    private static readonly string[] NotInMulti = ["HELLO", "AUTH", "CLIENT", "UNSUBSCRIBE"];

    private readonly World _world;

    public RedisDifferenceTests(World world) => _world = world;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Pipelines_OfRandomCommands_AnswerAlike(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < Rounds; round++)
        {
            List<string[]> commands = Commands(random);
            string bytes = string.Concat(commands.Select(words => Write(words, random)));
            string[] pieces = random.Next(2) == 0 ? [bytes] : Cut(bytes, random);
            string direct = Ask(_world.Direct.Port, pieces);
            Ask(_world.Port, pieces).ShouldBe(direct, $"seed {seed}, round {round}: {string.Join("; ", commands.Select(Shorten))}");
        }
    }

    private static string Ask(int port, string[] pieces)
    {
        using var conversation = new Conversation(port);
        conversation.Ask("FLUSHALL").ShouldBe("+OK\r\n");
        string reset = Conversation.Frame("DISCARD") + Conversation.Frame("DISCARD") + Conversation.Frame("CLIENT", "REPLY", "ON");
        return ServerId().Replace(conversation.Exchange([.. pieces, reset]), "id");
    }

    private static List<string[]> Commands(Random random)
    {
        var commands = new List<string[]>();
        bool multi = false;
        for (int i = random.Next(1, 60); i > 0; i--)
        {
            string[] words = Command(random);
            multi = words[0] == "MULTI" || (multi && words[0] is not ("EXEC" or "DISCARD" or "RESET"));
            if (!multi || !NotInMulti.Contains(words[0]))
            {
                commands.Add(words);
            }
        }

        return commands;
    }

    private static string[] Command(Random random)
    {
        string k = $"k{random.Next(6)}";
        string other = $"k{random.Next(6)}";
        string[] lines =
        [
            $"SET {k} {random.Next(100)}", $"GET {k}", $"INCR {k}", $"DEL {k} {other}", $"EXISTS {k} {other}", $"MGET {k} {other} none", $"MSET {k} 1 {other} 2",
            $"LPUSH l{k} v", $"LRANGE l{k} 0 -1", "PING", "PING m", "ECHO e", "NOSUCH x", "GET", "SELECT 0", "SELECT 1", "SELECT 99", "SELECT x", $"TYPE {k}",
            "CLIENT GETNAME", "CLIENT SETNAME a", "CLIENT REPLY SKIP", $"RENAME {k} {other}", $"MSETNX {k} 1 {other} 2", $"XADD s{k} {random.Next(1, 9)}-1 f v",
            $"XRANGE s{k} - +", $"XREAD STREAMS s{k} 0", $"XREAD BLOCK 1 STREAMS n{k} 0", "MULTI", "MULTI", "EXEC", "EXEC", "DISCARD", $"WATCH {k}", "UNWATCH",
            $"BLPOP l{k} 0.01", $"BLMOVE l{k} l{other} LEFT RIGHT 0.01", "UNSUBSCRIBE", "RESET", "HELLO", "HELLO 2", "HELLO 3", $"SORT l{k}", "AUTH x",
            $"SETRANGE {k} 5 zz", $"GETSET {k} q", $"SADD set{k} a b", "OBJECT HELP", "COMMAND COUNT", $"STRLEN {k}", $"APPEND {k} @",
        ];
        string[] words = lines[random.Next(lines.Length)].Split(' ');
        words[^1] = words[^1] == "@" ? new string('\n', random.Next(200_000)) : words[^1];
        return words;
    }

    private static string Write(string[] words, Random random) =>
        random.Next(10) == 0 && words[^1].Length < 100 ? string.Join(' ', words) + "\r\n" : Conversation.Frame(words);

    private static string[] Cut(string bytes, Random random)
    {
        int[] cuts = [0, .. Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(bytes.Length + 1)).Order(), bytes.Length];
        return [.. cuts.Zip(cuts.Skip(1), (from, to) => bytes[from..to])];
    }

    private static string Shorten(string[] words)
    {
        string line = string.Join(' ', words);
        return line[..Math.Min(line.Length, 40)];
    }

    // HELLO tells which connection of the server it is.
    [GeneratedRegex(@"\$2\r\nid\r\n:\d+\r\n")]
    private static partial Regex ServerId();

    /// <summary>A server asked directly, and another behind a proxy.</summary>
    public sealed class World : IDisposable
    {
        private readonly Peer _behind = Peer.Redis();
        private readonly Sidecar _proxy;

        public World()
        {
            Port = Ports.Free();
            _proxy = Sidecar.Start(new Boot()
                .Listen("redis", Port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main}")))
                .With(Boot.Cluster("main", [_behind.Address])));
        }

        internal Peer Direct { get; } = Peer.Redis();

        internal int Port { get; }

        public void Dispose()
        {
            _proxy.Dispose();
            _behind.Dispose();
            Direct.Dispose();
        }
    }
}
