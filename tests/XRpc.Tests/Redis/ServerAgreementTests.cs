using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>The scanners against what a real server takes and sends: both must agree on where frames end.</summary>
public sealed class ServerAgreementTests : IClassFixture<ServerAgreementTests.Server>
{
    private static readonly string[][] Asked =
    [
        .. "string integer double null array set map attrib push verbatim true false bignum".Split(' ').Select(static t => new[] { "DEBUG", "PROTOCOL", t }),
        ["COMMAND"], ["COMMAND", "DOCS"], ["INFO", "everything"], ["CONFIG", "GET", "*"], ["ACL", "GETUSER", "default"], ["MEMORY", "STATS"],
        ["XINFO", "STREAM", "s", "FULL"], ["HGETALL", "h"], ["SMEMBERS", "set"], ["ZRANGE", "z", "0", "-1", "WITHSCORES"], ["GEOPOS", "z", "a", "no"],
        ["EVAL", "local t={} local r=t for i=1,900 do local u={} t[1]=u t=u end return r", "0"],
        ["EVAL", "return {1, 'a', {2, redis.error_reply('X y')}, false, redis.status_reply('S')}", "0"],
        ["EVAL", "redis.setresp(3) return redis.call('HGETALL', KEYS[1])", "1", "h"],
        ["NOSUCH", "a", "b"], ["GET"], ["LRANGE", "none", "0", "-1"], ["GET", "none"], ["LOLWUT"], ["CLIENT", "LIST"], ["SLOWLOG", "GET"],
        ["FUNCTION", "LIST"], ["COMMAND", "GETKEYSANDFLAGS", "MSET", "a", "1"], ["LCS", "k", "k", "IDX"], ["PUBSUB", "CHANNELS"],
    ];

    private readonly RedisPeer _peer;

    public ServerAgreementTests(Server server) => _peer = server.Peer;

    [Theory]
    [InlineData("2")]
    [InlineData("3")]
    public void Replies_OfManyKinds_EndWhereTheNextOneBegins(string version)
    {
        using RedisLink link = _peer.Open();
        link.Exchange(RedisLink.Frame("HELLO", version));
        foreach (string[] setUp in (string[][])[["HSET", "h", "a", "1"], ["SADD", "set", "m"], ["GEOADD", "z", "1", "2", "a"], ["XADD", "s", "1-1", "f", "v"], ["SET", "k", "v"]])
        {
            link.Exchange(RedisLink.Frame(setUp));
        }

        // Each answer is followed by one that nothing else looks like: it is found only by who ended the one before right.
        foreach (string[] words in Asked.Where(words => version == "3" || words is not [_, "PROTOCOL", "push"]))
        {
            link.Send([.. RedisLink.Frame(words), .. RedisLink.Frame("ECHO", "behind " + words[0])]);
            FrameHead head;
            do
            {
                link.Receive(out head);
            }
            while (head.Kind == FrameKind.Push);

            Encoding.Latin1.GetString(link.Receive(out _)).ShouldBe($"${7 + words[0].Length}\r\nbehind {words[0]}\r\n", string.Join(' ', words));
        }
    }

    [Theory]
    [InlineData("*2147483648\r\n")]
    [InlineData("*x\r\n")]
    [InlineData("*01\r\n$4\r\nPING\r\n")]
    [InlineData("*+1\r\n$4\r\nPING\r\n")]
    [InlineData("*1\r\n+OK\r\n")]
    [InlineData("*1\r\n$-1\r\n")]
    [InlineData("*1\r\n$x\r\n")]
    [InlineData("*1\r\n$04\r\nPING\r\n")]
    [InlineData("*1\r\n$536870913\r\n")]
    [InlineData("*2\r\n$4\r\nECHO\r\n$999999999999999999999\r\n")]
    [InlineData("GET \"x\r\n")]
    [InlineData("GET 'x'y\r\n")]
    public void Requests_ThatTheServerRefuses_AreRefusedInItsWords(string bytes)
    {
        using RedisLink link = _peer.Open();
        string answer = Encoding.Latin1.GetString(link.Exchange(RequestRun.Bytes(bytes)));
        Should.Throw<Exception>(() => link.Receive(out _)).ShouldBeOfType<EndOfStreamException>();

        answer.ShouldStartWith("-ERR Protocol error: " + Verdict(bytes));
    }

    [Theory]
    [InlineData("*0\r\nPING\r\n", "+PONG\r\n")]
    [InlineData("*-1\r\nPING\r\n", "+PONG\r\n")]
    [InlineData("*-7\r\nPING\r\n", "+PONG\r\n")]
    [InlineData("\r\n\n  \r\nPING\n", "+PONG\r\n")]
    [InlineData("ping\r\n", "+PONG\r\n")]
    [InlineData("  ECHO \"a\\x41\\n\" \r\n", "$3\r\naA\n\r\n")]
    [InlineData("ECHO 'a\\'b\\n'\r\n", "$5\r\na'b\\n\r\n")]
    [InlineData("ECHO a\"b\"\r\n", null)]
    [InlineData("*2\r\n$4\r\nEcHo\r\n$0\r\n\r\n", "$0\r\n\r\n")]
    [InlineData("*1\r\n$0\r\n\r\n", "-ERR unknown command '', with args beginning with: \r\n")]
    public void Requests_ThatTheServerTakes_AreTakenAlike(string bytes, string? expected)
    {
        using RedisLink link = _peer.Open();
        string answer = Encoding.Latin1.GetString(link.Exchange(RequestRun.Bytes(bytes)));
        if (expected is not null)
        {
            answer.ShouldBe(expected);
        }

        using var run = new ConversationRun([_peer]);
        run.Pieces(bytes).ShouldBe(answer);
    }

    private static string Verdict(string bytes)
    {
        var scanner = new RespRequestScanner(RespLimitsOptions.Default);
        RespRequestHead head = default;
        if (scanner.Scan(RequestRun.Bytes(bytes), ref head, out _) == ScanStatus.Bad)
        {
            return RespFaults.Describe(head.Fault);
        }

        return RespInline.TryConvert(RequestRun.Bytes(bytes), new System.Buffers.ArrayBufferWriter<byte>())
            ? "none"
            : RespFaults.Describe(RespFault.UnbalancedQuotes);
    }

    public sealed class Server : IDisposable
    {
        internal RedisPeer Peer { get; } = new();

        public void Dispose() => Peer.Dispose();
    }
}
