using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>Where commands go by their keys, or without any.</content>
public sealed partial class RedisConversation
{
    /// <summary>What the keys of a command say.</summary>
    private enum Place
    {
        /// <summary>It has none.</summary>
        Anywhere,

        /// <summary>All are on one node.</summary>
        OneNode,

        /// <summary>They are on several nodes.</summary>
        Crossing,

        /// <summary>No route takes one of them.</summary>
        NoRoute,
    }

    private Decision Keyed(in RedisRequest request, IExchange exchange, ForwardFlags added = ForwardFlags.None)
    {
        ForwardFlags flags = RedisForwarding.FlagsOf(request.Command) | added;
        if (!exchange.RoutesByKey)
        {
            return Keyless(request, exchange, flags);
        }

        // On the client's own connection a replica is no choice.
        bool own = exchange.IsPinned || (added & (ForwardFlags.Pin | ForwardFlags.PinOnce)) != 0;
        bool readOnly = (flags & ForwardFlags.ReadOnly) != 0 && !own;
        flags = own ? flags & ~ForwardFlags.ReadOnly : flags;

        // What a transaction publishes goes where its data is.
        bool home = (flags & ForwardFlags.Home) != 0 && _transaction == Transaction.None;
        switch (Locate(request, readOnly, home, exchange, out int target))
        {
            case Place.Anywhere:
                return Keyless(request, exchange, flags);
            case Place.NoRoute:
                return Refused(LocalReplyReason.NoRoute);
            case Place.Crossing:
                return Error(exchange, RedisErrors.Crossing(request.Command));
        }

        if (exchange.IsPinned && target != exchange.PinnedTarget)
        {
            return Error(exchange, RedisErrors.Elsewhere(request.Command));
        }

        WriteEdited(request, readOnly, exchange);
        return Decision.ForwardTo(target, flags);
    }

    /// <summary>Forwards by the default route, or on the client's own connection; there, what concerns the connection alone has its route.</summary>
    private static Decision Keyless(in RedisRequest request, IExchange exchange, ForwardFlags flags)
    {
        if (request.Converted)
        {
            exchange.Replacement.Write(request.Bytes);
        }

        return Decision.Forward(flags: exchange.IsPinned && IsOwn(request) ? flags | ForwardFlags.Own : flags);
    }

    /// <summary>Nothing of the server's data is asked for or told.</summary>
    private static bool IsOwn(in RedisRequest request) => request.Command.Rule == RedisRule.Local
        || request.Id is RedisCommandId.Unsubscribe or RedisCommandId.Punsubscribe or RedisCommandId.Sunsubscribe or RedisCommandId.Reset;

    private Decision SplitByKey(in RedisRequest request, IExchange exchange)
    {
        ForwardFlags flags = RedisForwarding.FlagsOf(request.Command);
        if (!exchange.RoutesByKey || !RedisSplit.IsWellFormed(request.Command, request.Arguments))
        {
            return Keyless(request, exchange, flags);
        }

        Decision decision = RedisSplit.Decide(request.Command, request.Arguments, request.Converted, flags, exchange);
        return decision.Act == Act.Refuse ? Refused(decision.Reason) : decision;
    }

    /// <summary>
    /// What ends a script or a pause, or tells what runs, has a connection to itself: on another it would wait for the end. That connection is in database 0: a server that
    /// a script keeps busy takes no SELECT.
    /// </summary>
    private Decision Apart(in RedisRequest request, IExchange exchange)
    {
        if (!exchange.IsQuiet)
        {
            return Decision.NeedQuiet;
        }

        Decision decision = request.Command.Rule == RedisRule.Fanout ? Fanout(request, exchange) : Keyless(request, exchange, ForwardFlags.None);
        if (decision.Act is not (Act.Forward or Act.Split))
        {
            return decision;
        }

        if (_profile.Database != 0)
        {
            exchange.Profile = (_profile with { Database = 0 }).ToConnection();
        }

        return decision with { Flags = decision.Flags | ForwardFlags.PinOnce, Tag = (short)Purpose.Apart };
    }

    private static Decision Fanout(in RedisRequest request, IExchange exchange)
    {
        int nodes = exchange.IsPinned ? 0 : exchange.AllTargets(RedisForwarding.IsHome(request.Command));
        if (nodes <= 1)
        {
            return ToOnly(request, nodes, exchange);
        }

        for (int node = 0; node < nodes; node++)
        {
            exchange.Fragment(node).Write(request.Bytes);
        }

        RedisMerge.WriteNotes(exchange.Notes, request.Command, default);
        return Decision.Split(0);
    }

    /// <summary>What has all of the keys is one node, which needs no default route. Without one, and on the client's own connection, it goes like any without a key.</summary>
    private static Decision ToOnly(in RedisRequest request, int nodes, IExchange exchange)
    {
        if (nodes == 0)
        {
            return KeylessAnywhere(request, exchange, ForwardFlags.None);
        }

        // Written anew so that no route takes a prefix off a command without a key.
        exchange.Replacement.Write(request.Bytes);
        return Decision.ForwardTo(0);
    }

    /// <summary>Whether a command without keys is served without a default route where there is one node, by its rule or in a transaction.</summary>
    private static bool NeedsNoDefaultRoute(in RedisRequest request) =>
        request.Command.Rule is RedisRule.Fanout or RedisRule.Scan or RedisRule.Local || request.Id is RedisCommandId.Wait or RedisCommandId.Select;

    /// <summary>As <see cref="Keyless"/>, and without a default route to the one node there is.</summary>
    private static Decision KeylessAnywhere(in RedisRequest request, IExchange exchange, ForwardFlags flags)
    {
        if (!request.Converted)
        {
            // As in ToOnly.
            exchange.Replacement.Write(request.Bytes);
        }

        return Keyless(request, exchange, flags | ForwardFlags.OnlyServer);
    }

    private Decision Scan(in RedisRequest request, IExchange exchange)
    {
        int nodes = exchange.IsPinned ? 0 : Math.Min(exchange.AllTargets(), RedisCursor.MaxNodes);
        if (nodes <= 1)
        {
            return ToOnly(request, nodes, exchange);
        }

        if (request.Count < 2 || !RedisCursor.TryDecode(request.Arguments[1], nodes, out RedisCursor cursor))
        {
            // The server has the words for a cursor that is no number.
            return Keyless(request, exchange, ForwardFlags.None);
        }

        if (cursor.Node >= nodes)
        {
            // That node is not there any more: nothing of it is left to tell.
            AnswerTo(exchange).Write("*2\r\n$1\r\n0\r\n*0\r\n"u8);
            return Answered();
        }

        IBufferWriter<byte> fragment = exchange.Fragment(cursor.Node);
        fragment.Write(request.Bytes[..request.Arguments.HeaderOffset(1)]);
        RespWriter.WriteBulk(fragment, cursor.Place);
        fragment.Write(request.Bytes[(request.Arguments.Offset(1) + request.Arguments[1].Length + 2)..]);
        RedisMerge.WriteNotes(exchange.Notes, request.Command, cursor);
        return Decision.Split(0);
    }

    private Place Locate(in RedisRequest request, bool readOnly, bool home, IExchange exchange, out int target)
    {
        target = -1;
        int[] rented = ArrayPool<int>.Shared.Rent(request.Count + 1);
        int found = KeysOf(request, rented);
        Place place = found == 0 ? Place.Anywhere : Place.OneNode;
        for (int i = 0; i < found && place == Place.OneNode; i++)
        {
            ReadOnlySpan<byte> key = request.Arguments[rented[i]];
            int of = home ? exchange.HomeOf(key) : exchange.TargetOf(key, readOnly, out _);
            place = of < 0 ? Place.NoRoute : target >= 0 && of != target ? Place.Crossing : Place.OneNode;
            target = of;
        }

        ArrayPool<int>.Shared.Return(rented);
        return place;
    }

    /// <summary>Writes the command with prefixes of keys taken off, when routes ask for that, or when the client sent a line.</summary>
    private void WriteEdited(in RedisRequest request, bool readOnly, IExchange exchange)
    {
        int[] rented = ArrayPool<int>.Shared.Rent(request.Count + 1);
        Span<int> found = rented.AsSpan(0, KeysOf(request, rented));
        found.Sort();
        int written = 0;
        foreach (int index in found)
        {
            exchange.TargetOf(request.Arguments[index], readOnly, out int remove);
            int header = request.Arguments.HeaderOffset(index);

            // A channel keeps its name: who listens knows it by that.
            if (remove > 0 && header >= written && (request.Command.Flags & RedisCommandFlags.PubSub) == 0)
            {
                exchange.Replacement.Write(request.Bytes[written..header]);
                RespWriter.WriteHeader(exchange.Replacement, (byte)'$', request.Arguments[index].Length - remove);
                written = request.Arguments.Offset(index) + remove;
            }
        }

        ArrayPool<int>.Shared.Return(rented);
        if (written > 0 || request.Converted)
        {
            exchange.Replacement.Write(request.Bytes[written..]);
        }
    }

    private int KeysOf(in RedisRequest request, int[] indexes)
    {
        if (request.Id != RedisCommandId.Other)
        {
            return RedisKeys.Locate(request.Command, request.Arguments, indexes);
        }

        indexes[0] = 1;
        return IsCustom(request) ? 1 : 0;
    }

    private bool IsCustom(in RedisRequest request) => request.Id == RedisCommandId.Other && request.Count > 1 && IsCustom(request.Arguments[0]);

    /// <summary>Whether a command that is not in the table, and not whole yet, may be one of the configuration's: its name is, or is too long to be seen here.</summary>
    private bool MayBeCustom(ReadOnlySpan<byte> begun)
    {
        int at = 0;
        return !_options.CustomCommands.IsEmpty
            && (!RespReader.TryHeader(begun, ref at, out _, out _) || !RespReader.TryBulk(begun, ref at, out ReadOnlySpan<byte> name) || IsCustom(name));
    }

    private bool IsCustom(ReadOnlySpan<byte> name)
    {
        foreach (string custom in _options.CustomCommands)
        {
            if (custom.Length == name.Length && Ascii.EqualsIgnoreCase(name, custom))
            {
                return true;
            }
        }

        return false;
    }
}
