using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>What is answered here, and whether the client wants answers at all.</content>
public sealed partial class RedisConversation
{
    private static readonly IBufferWriter<byte> Nowhere = new Sink();

    /// <summary>Above what any server counts to, so that nobody else's connection has the number there, and exact in a double, which some clients read it as.</summary>
    private static long s_lastId = 1L << 52;

    private readonly long _id = Interlocked.Increment(ref s_lastId);
    private Replies _replies;
    private bool _skipAgain;

    private enum Replies : byte { On, Off, SkipNext }

    private Decision Local(in RedisRequest request, IExchange exchange)
    {
        switch (request.Id)
        {
            case RedisCommandId.Ping:
                return Ping(request, exchange);
            case RedisCommandId.Echo when request.Count == 2:
                RespWriter.WriteBulk(AnswerTo(exchange), request.Arguments[1]);
                return Answered();
            case RedisCommandId.Quit:
                return Quit(exchange);
            case RedisCommandId.Client when request.Is(1, "REPLY"u8) && request.Count == 3:
                return SetReplies(request, exchange);
            case RedisCommandId.Client when request.Is(1, "ID"u8) && request.Count == 2:
                RespWriter.WriteHeader(AnswerTo(exchange), (byte)':', _id);
                return Answered();
            case RedisCommandId.Client when request.Is(1, "SETNAME"u8) && request.Count == 3:
                return SetName(request.Arguments[2], exchange);
            case RedisCommandId.Client when request.Is(1, "GETNAME"u8) && request.Count == 2:
                return GetName(exchange);
            default:
                return Error(exchange, RedisErrors.Arity(request.Command));
        }
    }

    private Decision Ping(in RedisRequest request, IExchange exchange)
    {
        if (exchange.IsPinned)
        {
            // It is what keeps the client's connection there from being idle, and tells whether that lives.
            return Keyless(request, exchange, ForwardFlags.None);
        }

        if (request.Count > 2)
        {
            return Error(exchange, RedisErrors.Arity(request.Command));
        }

        if (request.Count == 2)
        {
            RespWriter.WriteBulk(AnswerTo(exchange), request.Arguments[1]);
        }
        else
        {
            AnswerTo(exchange).Write("+PONG\r\n"u8);
        }

        return Answered();
    }

    private Decision Quit(IExchange exchange)
    {
        AnswerTo(exchange).Write("+OK\r\n"u8);
        return Decision.Answered with { Flags = ForwardFlags.Last };
    }

    private Decision SetReplies(in RedisRequest request, IExchange exchange)
    {
        if (request.Is(2, "ON"u8))
        {
            _replies = Replies.On;
            return Ok(exchange);
        }

        if (request.Is(2, "OFF"u8))
        {
            _replies = Replies.Off;
            return Answered();
        }

        if (!request.Is(2, "SKIP"u8))
        {
            return Error(exchange, RedisErrors.Syntax);
        }

        if (_replies != Replies.Off)
        {
            (_replies, _skipAgain) = (Replies.SkipNext, true);
        }

        return Answered();
    }

    private Decision SetName(ReadOnlySpan<byte> name, IExchange exchange)
    {
        if (!IsName(name))
        {
            return Error(exchange, RedisErrors.ClientName);
        }

        _name = NameOf(name);
        return Ok(exchange);
    }

    private static byte[]? NameOf(ReadOnlySpan<byte> name) => name.IsEmpty ? null : name.ToArray();

    private Decision GetName(IExchange exchange)
    {
        if (_name is { } name)
        {
            RespWriter.WriteBulk(AnswerTo(exchange), name);
        }
        else
        {
            WriteNull(exchange);
        }

        return Answered();
    }

    private void WriteNull(IExchange exchange) => AnswerTo(exchange).Write(IsResp3 ? "_\r\n"u8 : "$-1\r\n"u8);

    private static bool IsName(ReadOnlySpan<byte> name) => !name.ContainsAnyExceptInRange((byte)'!', (byte)'~');

    private Decision Ok(IExchange exchange)
    {
        AnswerTo(exchange).Write("+OK\r\n"u8);
        return Answered();
    }

    private Decision Error(IExchange exchange, string text, ForwardFlags flags = ForwardFlags.None)
    {
        RespWriter.WriteError(AnswerTo(exchange), text);
        return Decision.Answered with { Flags = flags };
    }

    private static Decision Answered() => Decision.Answered;

    private Decision Refused(LocalReplyReason reason) => _replies == Replies.On ? Decision.Refuse(reason) : Decision.Answered;

    private IBufferWriter<byte> AnswerTo(IExchange exchange) => _replies == Replies.On ? exchange.Answer : Nowhere;

    /// <summary>Takes the answer away from a client that wants none. A command that was answered here is the one that SKIP meant.</summary>
    private Decision Mute(in Decision decision, Replies before)
    {
        switch (decision.Act)
        {
            case Act.Answer or Act.Refuse:
                EndSkip();
                return decision;
            case var _ when before == Replies.On || _relaying:
                return decision;
            case Act.Forward when _replies != Replies.On && (decision.Flags & ForwardFlags.Relay) == 0 && decision.Tag != (short)Purpose.Monitor:
                return decision with { Flags = decision.Flags | ForwardFlags.Observe, Tag = (short)(decision.Tag | (short)Purpose.Muted) };
            case Act.Split:
                return decision with { Tag = (short)(decision.Tag | (short)Purpose.Muted) };
            default:
                return decision;
        }
    }

    private void EndSkip()
    {
        _replies = _replies == Replies.SkipNext && !_skipAgain ? Replies.On : _replies;
        _skipAgain = false;
    }

    /// <summary>Takes answers nobody wants.</summary>
    private sealed class Sink : IBufferWriter<byte>
    {
        [ThreadStatic]
        private static byte[]? s_room;

        public void Advance(int count)
        {
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => Room(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => Room(sizeHint);

        private static byte[] Room(int size) => s_room is { } room && room.Length >= size ? room : s_room = new byte[Math.Max(size, 1024)];
    }
}
