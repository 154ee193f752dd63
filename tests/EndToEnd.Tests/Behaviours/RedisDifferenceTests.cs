using System.Text;
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

    // What begins, changes and ends transactions, and what spoils them, comes often inside one.
    private static readonly string[] OfTransactions =
        ["SELECT 0", "SELECT 1", "SELECT 2", "SET k1 v", "GET k1", "DISCARD", "RESET", "EXEC", "EXEC x", "MULTI", "MULTI x", "WATCH k1", "WATCH", "DISCARD x", "RESET x"];

    // The first character tells who says it: the client, or one that talks to the server directly. One channel only: servers leave several in any order.
    private static readonly string[] OfSubscribers =
    [
        ">SUBSCRIBE a", ">SUBSCRIBE a a", ">PSUBSCRIBE a* x*", ">UNSUBSCRIBE a", ">UNSUBSCRIBE", ">PUNSUBSCRIBE", ">PUNSUBSCRIBE a*", ">PING", ">GET k1",
        ">SET k1 v", ">MGET k1 k2", ">SELECT 1", ">SELECT 0", ">AUTH x", ">CLIENT GETNAME", ">MULTI x", ">PUBLISH a m", ">RESET x", "!PUBLISH a m", "!PUBLISH ab m",
    ];

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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Subscribers_OfRandomCommands_HearAlikeToTheirEnd(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < Rounds; round++)
        {
            string[] lines = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => OfSubscribers[random.Next(OfSubscribers.Length)])];
            string direct = Listen(_world.Direct.Port, _world.Direct.Port, lines);
            Listen(_world.Port, _world.Behind.Port, lines).ShouldBe(direct, $"seed {seed}, round {round}: {string.Join("; ", lines)}");
        }
    }

    /// <summary>Says line after line, each behind the answer to the one before, then QUIT in the midst of messages: all that comes.</summary>
    private static string Listen(int port, int server, string[] lines)
    {
        const string Mark = "the mark.";
        using Call client = Call.To(port);
        using Call other = Call.To(server);
        other.Ask("FLUSHALL").ShouldBe("+OK");
        var heard = new StringBuilder();
        foreach (string line in lines)
        {
            if (line[0] == '!')
            {
                heard.AppendLine(other.Ask(line[1..]));
                continue;
            }

            client.Send($"{line[1..]}\r\nPING \"{Mark}\"\r\n");
            while (heard.Length < Mark.Length || heard.ToString(heard.Length - Mark.Length, Mark.Length) != Mark)
            {
                heard.Append((char)client.Stream.ReadByte());
            }

            heard.AppendLine(client.ReadLine());
        }

        other.Ask("PUBLISH a last");
        client.Send("QUIT\r\n");
        return heard.Append(client.Rest()).ToString();
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
            string[] words = multi && random.Next(2) == 0 ? OfTransactions[random.Next(OfTransactions.Length)].Split(' ') : Command(random);
            multi = words[0] == "MULTI" || (multi && words is not (["EXEC", ..] or ["DISCARD"] or ["RESET"]));
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
        private readonly Sidecar _proxy;

        public World()
        {
            Port = Ports.Free();
            _proxy = Sidecar.Start(new Boot()
                .Listen("redis", Port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main}")))
                .With(Boot.Cluster("main", [Behind.Address])));
        }

        internal Peer Direct { get; } = Peer.Redis();

        internal Peer Behind { get; } = Peer.Redis();

        internal int Port { get; }

        public void Dispose()
        {
            _proxy.Dispose();
            Behind.Dispose();
            Direct.Dispose();
        }
    }
}
