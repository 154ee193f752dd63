using System.Buffers;
using System.Text;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <content>Where one command goes.</content>
internal sealed partial class RedisForward
{
    private int _lastTarget = -1;

    private static string Name(RedisCommandId command) => RedisCommandTable.Get(command).Name;

    /// <summary>Forwards or answers the frame that was scanned. Null when it is dealt with; then nothing else was changed.</summary>
    private Step? Handle(in ReadOnlySequence<byte> buffer)
    {
        if (_streaming >= 0)
        {
            return null;
        }

        if (_raw >= 0)
        {
            return HandleRaw(buffer);
        }

        if (_head.IsInline)
        {
            return HandleInline(buffer);
        }

        if (_head.ArgumentCount == 0)
        {
            // The server ignores it, so nothing is due for it.
            CloseRun(buffer, _frameStart);
            _runStart = _scanned;
            return null;
        }

        if (IsSpecial(_head.Command) || _transaction != Transaction.None || _pinned >= 0)
        {
            return HandleWhole(buffer);
        }

        if (!_routes.HasPrefixes)
        {
            return Send(buffer, _routes.CatchAll);
        }

        RedisCommand command = RedisCommandTable.Get(_head.Command);
        return command.IsSingleKey && _head.KeyOffset > 0 ? Send(buffer, RouteOfKey(buffer))
            : command.Keys.Count == 0 ? Send(buffer, _routes.CatchAll)
            : HandleWhole(buffer);
    }

    private RedisRoute RouteOfKey(in ReadOnlySequence<byte> buffer)
    {
        long start = _frameStart + _head.KeyOffset;
        ReadOnlySequence<byte> key = buffer.Slice(start, Math.Min(_head.KeyLength, _routes.LongestPrefix));
        return _routes.Find(key.IsSingleSegment ? key.FirstSpan : key.ToArray());
    }

    private Step? Send(in ReadOnlySequence<byte> buffer, RedisRoute route)
    {
        int upstream = UpstreamOf(route, out Step? stop);
        if (upstream >= 0)
        {
            Expect(upstream);
            Forward(buffer, upstream, route.Remove);
        }
        else if (stop is null)
        {
            SkipFrame(buffer);
        }

        return stop;
    }

    /// <summary>Index of the upstream of a route. -1 with a step: connect first; -1 without: an error was answered.</summary>
    private int UpstreamOf(RedisRoute route, out Step? stop)
    {
        stop = null;
        for (int i = 0; i < _upstreams.Count; i++)
        {
            if (_upstreams[i].Cluster == route.Cluster)
            {
                return i;
            }
        }

        if (route.IsNone)
        {
            AnswerLocally(_head.Command, $"-ERR MeshL4: no route for {Name(_head.Command)}\r\n");
        }
        else if (_unreachable == route.Cluster)
        {
            // Told once; the next command tries again.
            _unreachable = null;
            AnswerLocally(_head.Command, "-ERR MeshL4: no connection to the upstream\r\n");
        }
        else
        {
            _wanted = route.Cluster;
            stop = Step.NeedConnect;
        }

        return -1;
    }

    private void Expect(int upstream, bool hidden = false, RedisCommandId? command = null)
    {
        if (!hidden)
        {
            _stats.Asked(command ?? _head.Command);
        }

        _ring.Add(new RedisPending(_now, (short)upstream, command ?? _head.Command, hidden));
    }

    private void AnswerLocally(RedisCommandId command, string reply)
    {
        _lastTarget = -1;
        _stats.Asked(command);
        _local.Enqueue(Encoding.UTF8.GetBytes(reply));
        _ring.Add(new RedisPending(_now, RedisPending.Local, command));
    }

    private void SkipFrame(in ReadOnlySequence<byte> buffer)
    {
        CloseRun(buffer, _frameStart);
        _runStart = _scanned;
    }
}
