using System.Collections.Immutable;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>What the kit needs to know of Redis: what clients send and what redis-server 7.0 answers, in both versions of its protocol.</summary>
public static class RedisSample
{
    /// <summary>The frames.</summary>
    public static CodecSample Value { get; } = new()
    {
        Frames =
        [
            Request("get", "get", "*2\r\n$3\r\nGET\r\n$7\r\nuser:42\r\n", "user:42"),
            Request("set", "set", $"*3\r\n$3\r\nSET\r\n$5\r\nabcde\r\n$64\r\n{new string('v', 64)}\r\n", "abcde"),
            Request("mget", "mget", "*3\r\n$4\r\nMGET\r\n$2\r\nk1\r\n$2\r\nk2\r\n", "k1"),
            Request("value of line ends", "set", "*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n$8\r\n\r\n*1\r\n$4\r\n", "k2"),
            Request("ping", "ping", "*1\r\n$4\r\nPING\r\n"),
            Request("inline", "ping", "PING\r\n"),
            Request("quoted line", "get", "GET \"user\\x41\"\r\n", "userA") with { KeepsKey = true },
            Request("unknown command", "other", "*2\r\n$8\r\nJSON.GET\r\n$3\r\ndoc\r\n"),
            Frame("empty array", Side.Downstream, FrameKind.Empty, "*0\r\n"),
            Reply("status", "+OK\r\n"),
            Reply("number", ":12\r\n"),
            Reply("value", "$5\r\nhello\r\n"),
            Reply("nil", "$-1\r\n"),
            Reply("array", "*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n*0\r\n"),
            Reply("null of version 3", "_\r\n"),
            Reply("map of version 3", "%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n,1.5\r\n"),
            Reply("attributes before a value", "|1\r\n+ttl\r\n:3\r\n#t\r\n"),
            Frame("error", Side.Upstream, FrameKind.ErrorResponse, "-WRONGTYPE of a key\r\n"),
            Frame("long error of version 3", Side.Upstream, FrameKind.ErrorResponse, "!7\r\nERR bad\r\n"),
            Frame("push", Side.Upstream, FrameKind.Push, ">2\r\n+invalidate\r\n*1\r\n+k\r\n"),
        ],
        Long = new LongFrame(
            Side.Downstream, Bytes($"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n${LongFrame.Least}\r\n"), LongFrame.Least, Bytes("\r\n")),
        Oversized =
        [
            new OversizedFrame("value over the limit", Side.Downstream, Bytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1001\r\n"), new CodecLimits(64 * 1024, 1000)),
            new OversizedFrame("value over the server's own limit", Side.Downstream, Bytes("*2\r\n$3\r\nGET\r\n$536870913\r\n"), CodecLimits.Default),
            new OversizedFrame("arguments over the limit", Side.Downstream, Bytes("*1048577\r\n"), CodecLimits.Default),
            new OversizedFrame("reply over the limit", Side.Upstream, Bytes("$1099511627777\r\n"), CodecLimits.Default),
        ],
        Marks = [.. "*,$,+,-,:,%,~,>,|,_,#,(,!,=,\r\n,\r,\n,$?\r\n,;0\r\n,*-1\r\n,$-1\r\n,*0\r\n,PING\r\n".Split(',').Select(Bytes)],
    };

    private static GoldenFrame Request(string name, string method, string text, string? key = null) => Frame(name, Side.Downstream, FrameKind.Request, text) with
    {
        Replies = 1,
        Method = method,
        Meta = key is null ? ImmutableDictionary<string, string>.Empty : ImmutableDictionary<string, string>.Empty.Add("key", key),
    };

    private static GoldenFrame Reply(string name, string text) => Frame(name, Side.Upstream, FrameKind.Response, text);

    private static GoldenFrame Frame(string name, Side from, FrameKind kind, string text) => new(name, from, kind, Bytes(text));

    private static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);
}
