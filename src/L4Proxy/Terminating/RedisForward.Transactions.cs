using System.Buffers;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <content>
/// With prefix routes a transaction belongs to one cluster: that of the watched keys, or of its first command. MULTI is
/// answered here and sent on once that is known.
/// </content>
internal sealed partial class RedisForward
{
    private Transaction _transaction;

    /// <summary>Upstream of the transaction or of the watched keys; -1 for none.</summary>
    private int _pinned = -1;

    /// <summary>Whether a command of the transaction was refused here, so that EXEC must fail.</summary>
    private bool _spoiled;

    private enum Transaction { None, Deferred, Open }

    private Step? HandleRouted(ReadOnlySpan<byte> frame, in RespArguments arguments)
    {
        switch (_head.Command)
        {
            case RedisCommandId.Select when arguments.Count > 1 && !arguments[1].SequenceEqual("0"u8):
                return Answer("-ERR MeshL4: SELECT of another database is not supported with prefix routes\r\n");
            case RedisCommandId.Multi:
                return BeginTransaction(frame, arguments);
            case RedisCommandId.Exec or RedisCommandId.Discard when _transaction != Transaction.None:
                return EndTransaction(frame, arguments);
            case RedisCommandId.Unwatch when _pinned >= 0 && _transaction == Transaction.None:
                SendTo(_pinned, frame, arguments);
                _pinned = -1;
                return null;
            default:
                return HandleKeyed(frame, arguments);
        }
    }

    private Step? BeginTransaction(ReadOnlySpan<byte> frame, in RespArguments arguments)
    {
        if (_transaction != Transaction.None)
        {
            return Answer("-ERR MULTI calls can not be nested\r\n");
        }

        _spoiled = false;
        if (_pinned < 0)
        {
            _transaction = Transaction.Deferred;
            return Answer("+OK\r\n");
        }

        _transaction = Transaction.Open;
        SendTo(_pinned, frame, arguments);
        return null;
    }

    private Step? EndTransaction(ReadOnlySpan<byte> frame, in RespArguments arguments)
    {
        bool execute = _head.Command == RedisCommandId.Exec;
        bool aborted = execute && _spoiled;
        bool open = _transaction == Transaction.Open;
        int upstream = _pinned;
        (_transaction, _pinned, _spoiled) = (Transaction.None, -1, false);
        if (open && !aborted)
        {
            SendTo(upstream, frame, arguments);
            return null;
        }

        if (open)
        {
            Expect(upstream, hidden: true, RedisCommandId.Discard);
            WriteFrame(upstream, "*1\r\n$7\r\nDISCARD\r\n"u8);
        }

        return Answer(aborted ? "-EXECABORT Transaction discarded because of previous errors.\r\n" : execute ? "*0\r\n" : "+OK\r\n");
    }

    private Step? HandleKeyed(ReadOnlySpan<byte> frame, in RespArguments arguments)
    {
        RedisRoute? route = RouteOf(arguments, out bool keyless);
        bool inPinned = _transaction == Transaction.Open || (_pinned >= 0 && _head.Command == RedisCommandId.Watch);
        if (route is null || (inPinned && !keyless && _upstreams[_pinned].Cluster != route.Cluster))
        {
            _spoiled = true;
            return Answer($"-ERR MeshL4: keys of {Name(_head.Command)} are on different clusters\r\n");
        }

        Step? stop = null;
        int upstream = inPinned ? _pinned : UpstreamOf(route, out stop);
        if (upstream < 0)
        {
            _spoiled |= stop is null;
            return stop;
        }

        Pin(upstream);
        SendTo(upstream, frame, arguments);
        return null;
    }

    private void Pin(int upstream)
    {
        if (_transaction == Transaction.Deferred)
        {
            Expect(upstream, hidden: true, RedisCommandId.Multi);
            WriteFrame(upstream, "*1\r\n$5\r\nMULTI\r\n"u8);
            (_transaction, _pinned) = (Transaction.Open, upstream);
        }
        else if (_head.Command == RedisCommandId.Watch)
        {
            _pinned = upstream;
        }
        else if (_head.Command == RedisCommandId.Reset)
        {
            (_transaction, _pinned, _spoiled) = (Transaction.None, -1, false);
        }
    }

    /// <summary>The one route of all keys; null when they have several clusters.</summary>
    private RedisRoute? RouteOf(in RespArguments arguments, out bool keyless)
    {
        int[] keys = ArrayPool<int>.Shared.Rent(arguments.Count);
        ReadOnlySpan<int> found = keys.AsSpan(0, RedisKeys.Locate(RedisCommandTable.Get(_head.Command), arguments, keys.AsSpan(0, arguments.Count)));
        keyless = found.IsEmpty;
        RedisRoute? route = keyless ? _routes.CatchAll : _routes.Find(arguments[found[0]]);
        foreach (int index in found)
        {
            route = _routes.Find(arguments[index]).Cluster == route?.Cluster ? route : null;
        }

        ArrayPool<int>.Shared.Return(keys);
        return route;
    }

    private Step? Answer(string reply)
    {
        AnswerLocally(_head.Command, reply);
        return null;
    }
}
