using System.Buffers;
using System.Runtime.InteropServices;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// Cuts MGET, MSET, DEL, EXISTS, UNLINK and TOUCH into one command for each node that has keys of it. Work is linear in the
/// arguments, whatever the number of nodes, and memory is rented for the call. What the merge needs goes to the notes: the
/// command's row, and the fragment of every key where elements have to be put in order.
/// </summary>
internal readonly ref struct RedisSplit
{
    private readonly RespArguments _arguments;
    private readonly IExchange _exchange;
    private readonly int _step;
    private readonly int _keys;
    private readonly int[] _rented;

    private RedisSplit(RedisCommand command, in RespArguments arguments, IExchange exchange)
    {
        _arguments = arguments;
        _exchange = exchange;
        _step = StepOf(command);
        _keys = (arguments.Count - 1) / _step;
        _rented = ArrayPool<int>.Shared.Rent((_keys * 7) + 8);
    }

    private Span<int> Owners => _rented.AsSpan(0, _keys);

    private Span<int> Removed => _rented.AsSpan(_keys, _keys);

    private Span<int> Next => _rented.AsSpan(_keys * 2, _keys);

    private Span<int> First => _rented.AsSpan(_keys * 3, _keys);

    private Span<int> Last => _rented.AsSpan(_keys * 4, _keys);

    private Span<int> Counts => _rented.AsSpan(_keys * 5, _keys);

    // A few more than there are keys: the pinned connection may have a number too.
    private Span<int> FragmentOf => _rented.AsSpan(_keys * 6, _keys + 8);

    /// <summary>Arguments from one key to the next.</summary>
    public static int StepOf(RedisCommand command) => command.Keys[0].Step;

    /// <summary>Whether a command has a key at all and a value for each that needs one; the server refuses others itself.</summary>
    public static bool IsWellFormed(RedisCommand command, in RespArguments arguments) =>
        arguments.Count > 1 && (arguments.Count - 1) % StepOf(command) == 0;

    /// <summary>Decides on a well-formed command.</summary>
    /// <param name="command">One whose rule is <see cref="RedisRule.Split"/>.</param>
    /// <param name="arguments">The command as sent.</param>
    /// <param name="converted">Whether the command has to be written anew in any case.</param>
    /// <param name="flags">For the forwarding.</param>
    /// <param name="exchange">Takes the fragments, the notes, or the replacement.</param>
    public static Decision Decide(RedisCommand command, in RespArguments arguments, bool converted, ForwardFlags flags, IExchange exchange)
    {
        var split = new RedisSplit(command, arguments, exchange);
        try
        {
            int fragments = split.Assign((flags & ForwardFlags.ReadOnly) != 0, out bool edited);
            if (fragments == 0)
            {
                return Decision.Refuse(LocalReplyReason.NoRoute);
            }

            if (fragments == 1)
            {
                int target = exchange.TargetOf(arguments[1], (flags & ForwardFlags.ReadOnly) != 0, out _);
                if (edited || converted)
                {
                    split.Write(exchange.Replacement, 0);
                }

                return Decision.ForwardTo(target, flags);
            }

            split.WriteFragments(fragments, (flags & ForwardFlags.ReadOnly) != 0);
            split.WriteNotes(command);
            return Decision.Split(0) with { Flags = flags };
        }
        finally
        {
            ArrayPool<int>.Shared.Return(split._rented);
        }
    }

    /// <summary>Finds the fragment of every key. Their number; 0 when a key has no route.</summary>
    private int Assign(bool readOnly, out bool edited)
    {
        edited = false;
        FragmentOf.Fill(-1);
        int fragments = 0;
        for (int key = 0; key < _keys; key++)
        {
            int target = _exchange.TargetOf(_arguments[1 + (key * _step)], readOnly, out Removed[key]);
            if (target < 0 || target >= FragmentOf.Length)
            {
                return 0;
            }

            ref int fragment = ref FragmentOf[target];
            if (fragment < 0)
            {
                fragment = fragments++;
                First[fragment] = key;
                Counts[fragment] = 0;
            }
            else
            {
                Next[Last[fragment]] = key;
            }

            Owners[key] = fragment;
            Last[fragment] = key;
            Counts[fragment]++;
            edited |= Removed[key] > 0;
        }

        return fragments;
    }

    private void WriteFragments(int fragments, bool readOnly)
    {
        for (int i = 0; i < fragments; i++)
        {
            Write(_exchange.Fragment(_exchange.TargetOf(_arguments[1 + (First[i] * _step)], readOnly, out _)), i);
        }
    }

    private void Write(IBufferWriter<byte> output, int fragment)
    {
        RespWriter.WriteHeader(output, (byte)'*', 1 + (Counts[fragment] * _step));
        RespWriter.WriteBulk(output, _arguments[0]);
        int key = First[fragment];
        for (int left = Counts[fragment]; left > 0; left--)
        {
            RespWriter.WriteBulk(output, _arguments[1 + (key * _step)][Removed[key]..]);
            if (_step == 2)
            {
                RespWriter.WriteBulk(output, _arguments[2 + (key * _step)]);
            }

            key = Next[key];
        }
    }

    private void WriteNotes(RedisCommand command)
    {
        RedisMerge.WriteNotes(_exchange.Notes, command, default);
        if (command.Merge == RedisMergeKind.Interleave)
        {
            _exchange.Notes.Write(MemoryMarshal.AsBytes(Owners));
        }
    }
}
