using System.Buffers;
using System.Buffers.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>
/// Who the client is, and which version and database it speaks. The server decides: the command goes to a connection that was
/// brought into the new state, and the client stays in the old one when either is answered with an error.
/// </content>
public sealed partial class RedisConversation
{
    private const ForwardFlags ChangeFlags = ForwardFlags.Observe | ForwardFlags.Wait | ForwardFlags.Quiet | ForwardFlags.OnlyServer;

    private byte[]? _name;
    private byte[]? _wantedName;

    /// <summary>Whether the change of state under way brings a right password of the proxy's own along.</summary>
    private bool _wantedAuthenticated;

    private Decision Unauthenticated(in RedisRequest request, IExchange exchange) => request.Id switch
    {
        RedisCommandId.Auth or RedisCommandId.Hello or RedisCommandId.Reset => Session(request, exchange),
        RedisCommandId.Quit => Quit(exchange),
        _ => Error(exchange, RedisErrors.NoAuthentication),
    };

    private Decision Session(in RedisRequest request, IExchange exchange) => request.Id switch
    {
        RedisCommandId.Auth => Authenticate(request, exchange),
        RedisCommandId.Hello => Hello(request, exchange),
        RedisCommandId.Select => Select(request, exchange),
        _ => Reset(request, exchange),
    };

    private Decision Authenticate(in RedisRequest request, IExchange exchange)
    {
        if (request.Count is < 2 or > 3)
        {
            return Error(exchange, request.Count < 2 ? RedisErrors.Arity(request.Command) : RedisErrors.Syntax);
        }

        ReadOnlySpan<byte> username = request.Count == 3 ? request.Arguments[1] : default;
        ReadOnlySpan<byte> password = request.Arguments[request.Count - 1];
        if (_options.Passwords.IsEmpty)
        {
            return Change(request, _profile with { Login = RedisLogin.Copy(username, password) }, exchange);
        }

        if (!RedisAuthentication.IsRight(_options, username, password))
        {
            return Error(exchange, RedisErrors.WrongPassword);
        }

        _authenticated = true;
        return Ok(exchange);
    }

    /// <summary>
    /// The password of the client's own login changed while it was connected, or its user is gone. A server would have closed its connection by then, and
    /// libraries log in anew on another.
    /// </summary>
    /// <inheritdoc/>
    public override bool EndsBehind(ReadOnlySpan<byte> refusal) =>
        _profile.Login is { IsDefault: false } && (refusal.StartsWith("-WRONGPASS"u8) || refusal.StartsWith("-ERR AUTH"u8));

    private Decision Select(in RedisRequest request, IExchange exchange)
    {
        // Whatever is no database number changes nothing, and the server has the words for it.
        return request.Count == 2 && TryNumber(request.Arguments[1], out int database)
            ? Change(request, _profile with { Database = database }, exchange)
            : KeylessAnywhere(request, exchange, ForwardFlags.None);
    }

    private Decision Hello(in RedisRequest request, IExchange exchange)
    {
        if (request.Count == 1)
        {
            return _authenticated ? KeylessAnywhere(request, exchange, ForwardFlags.None) : Error(exchange, RedisErrors.HelloNeedsAuthentication);
        }

        if (!TryVersion(request.Arguments[1], out long version))
        {
            return Error(exchange, RedisErrors.VersionNoInteger);
        }

        if (version is not (2 or 3))
        {
            return Error(exchange, RedisErrors.VersionUnsupported);
        }

        int login = 0;
        int name = 0;
        for (int i = 2; i < request.Count;)
        {
            if (request.Is(i, "AUTH"u8) && i + 2 < request.Count)
            {
                login = i;
                i += 3;
            }
            else if (request.Is(i, "SETNAME"u8) && i + 1 < request.Count)
            {
                name = i;
                i += 2;
            }
            else
            {
                return Error(exchange, RedisErrors.HelloOption(request.Arguments[i]));
            }
        }

        return Hello(request, (int)version, login, name, exchange);
    }

    private Decision Hello(in RedisRequest request, int version, int login, int name, IExchange exchange)
    {
        RedisProfile wanted = _profile with { Version = version };
        bool authenticated = _authenticated;
        if (login > 0 && _options.Passwords.IsEmpty)
        {
            wanted = wanted with { Login = RedisLogin.Copy(request.Arguments[login + 1], request.Arguments[login + 2]) };
        }
        else if (login > 0)
        {
            if (!RedisAuthentication.IsRight(_options, request.Arguments[login + 1], request.Arguments[login + 2]))
            {
                return Error(exchange, RedisErrors.WrongPassword);
            }

            authenticated = true;
        }

        if (!authenticated)
        {
            return Error(exchange, RedisErrors.HelloNeedsAuthentication);
        }

        if (name > 0 && !IsName(request.Arguments[name + 1]))
        {
            return Error(exchange, RedisErrors.ClientName);
        }

        (_wantedName, _wantedAuthenticated) = (name > 0 ? request.Arguments[name + 1].ToArray() : _name, authenticated);
        WriteHello(exchange.Replacement, wanted, login > 0 && _options.Passwords.IsEmpty);
        return Change(request, wanted, exchange, written: true);
    }

    /// <summary>
    /// Without the name: on a shared connection it is not this client's. A login goes along, as with AUTH, though the connection is logged in so: the password
    /// may be a right one no more.
    /// </summary>
    private static void WriteHello(IBufferWriter<byte> output, in RedisProfile wanted, bool withLogin)
    {
        RespWriter.WriteHeader(output, (byte)'*', withLogin ? 5 : 2);
        RespWriter.WriteBulk(output, "HELLO"u8);
        RespWriter.WriteBulk(output, (ulong)wanted.Version);
        if (withLogin)
        {
            RespWriter.WriteBulk(output, "AUTH"u8);
            RespWriter.WriteBulk(output, wanted.Login!.Username.Span);
            RespWriter.WriteBulk(output, wanted.Login.Password.Span);
        }
    }

    private Decision Change(in RedisRequest request, in RedisProfile wanted, IExchange exchange, bool written = false)
    {
        if (!exchange.IsQuiet)
        {
            // Requests in flight were asked in the present state, in which they may be tried again. On the client's own connection this could be given up behind
            // one of them that blocks, and happen later all the same.
            return Decision.NeedQuiet;
        }

        _wanted = wanted;
        (_wantedName, _wantedAuthenticated) = request.Id == RedisCommandId.Hello ? (_wantedName, _wantedAuthenticated) : (_name, _authenticated);
        if (!written)
        {
            // As it is: no route takes a prefix off.
            exchange.Replacement.Write(request.Bytes);
        }

        if (exchange.IsPinned)
        {
            return Decision.Forward(flags: ForwardFlags.Observe | ForwardFlags.Wait | ForwardFlags.OnlyServer) with { Tag = (short)Purpose.ChangePinned };
        }

        exchange.Profile = wanted.ToConnection();
        return Decision.Forward(flags: ChangeFlags) with { Tag = (short)Purpose.ChangeProfile };
    }

    private void Changed(in FrameView reply, bool pinned, IExchange exchange)
    {
        if (IsError(reply))
        {
            exchange.Profile = _profile.ToConnection();
            return;
        }

        (_profile, _name, _authenticated) = (_wanted, _wantedName, _wantedAuthenticated);
        exchange.Profile = _profile.ToConnection();

        // It was made for another profile, so no other client of that one may get it.
        _dirty |= pinned;
    }

    private Decision Reset(in RedisRequest request, IExchange exchange)
    {
        if (request.Count != 1)
        {
            return Error(exchange, RedisErrors.Arity(request.Command));
        }

        if (!exchange.IsQuiet)
        {
            // As in Change; and on the connections of another state what follows could overtake requests in flight.
            return Decision.NeedQuiet;
        }

        if (exchange.IsPinned)
        {
            if (request.Converted)
            {
                exchange.Replacement.Write(request.Bytes);
            }

            _replies = _replies == Replies.Off ? Replies.On : _replies;
            return Decision.Forward(flags: ForwardFlags.Observe | ForwardFlags.Wait | ForwardFlags.Own) with { Tag = (short)Purpose.Reset };
        }

        // OFF is forgotten before the answer, SKIP behind it: so the server has it.
        bool skipped = _replies == Replies.SkipNext;
        ForgetAll(exchange);
        if (!skipped)
        {
            AnswerTo(exchange).Write("+RESET\r\n"u8);
        }

        return Answered();
    }

    private void ForgetAll(IExchange exchange)
    {
        _profile = RedisProfile.Of(_options.Upstream);
        exchange.Profile = _profile.ToConnection();
        _authenticated = _options.Passwords.IsEmpty;
        _name = null;
        _replies = Replies.On;
        (_sticky, _dirty, _relaying, _leavesTraces) = (false, false, false, false);
        _subscriptions?.Clear();
        ForgetTransaction();
    }

    private static bool IsError(in FrameView reply) => reply.Head.Kind == FrameKind.ErrorResponse;

    /// <summary>As strict as the server: no plus, and no zero in front.</summary>
    private static bool TryVersion(ReadOnlySpan<byte> text, out long version)
    {
        RespNumber number = default;
        bool valid = true;
        foreach (byte digit in text)
        {
            valid = valid && number.TryAppend(digit);
        }

        version = number.Value;
        return valid && number.IsValid;
    }

    private static bool TryNumber(ReadOnlySpan<byte> text, out int number) =>
        Utf8Parser.TryParse(text, out number, out int used) && used == text.Length && number >= 0 && text[0] is >= (byte)'0' and <= (byte)'9';
}
