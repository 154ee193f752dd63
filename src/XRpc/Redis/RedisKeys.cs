using System.Buffers.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>Finds the keys among a command's arguments by the server's key specifications.</summary>
public static partial class RedisKeys
{
    /// <summary>Writes the argument indexes of the keys.</summary>
    /// <param name="command">Row of the command table.</param>
    /// <param name="arguments">The command as sent.</param>
    /// <param name="indexes">Room for as many indexes as there are arguments.</param>
    /// <returns>Number of indexes written; 0 when the command has no key, or its arguments make no sense.</returns>
    public static int Locate(RedisCommand command, in RespArguments arguments, Span<int> indexes)
    {
        int found = 0;
        foreach (RedisKeySpec spec in command.Keys)
        {
            int begin = Begin(command, spec, arguments);
            if (begin > 0 && begin < arguments.Count && TryRange(spec, arguments, begin, out int first, out int last))
            {
                for (int i = first; i <= last && found < indexes.Length; i += spec.Step)
                {
                    indexes[found++] = i;
                }
            }
        }

        return command.Row is (int)RedisCommandId.Sort or (int)RedisCommandId.Georadius or (int)RedisCommandId.Georadiusbymember
            ? AddStores(command, arguments, indexes, found)
            : found;
    }

    private static int Begin(RedisCommand command, in RedisKeySpec spec, in RespArguments arguments) => spec.Keyword switch
    {
        // An empty string when the keys come behind KEYS.
        "" when command.Row == (int)RedisCommandId.Migrate && arguments.Count > spec.Begin && arguments[spec.Begin].IsEmpty => 0,
        "" => spec.Begin,
        "STREAMS" => FindStreams(arguments, out _),
        "KEYS" => FindMigrated(arguments),
        _ => 0,
    };

    private static bool TryRange(in RedisKeySpec spec, in RespArguments arguments, int begin, out int first, out int last)
    {
        first = begin;
        if (spec.CountIndex >= 0)
        {
            return TryCounted(spec, arguments, begin, out first, out last);
        }

        last = spec.Span >= 0 ? begin + spec.Span : arguments.Count + spec.Span;
        if (spec.Limit > 1 && spec.Span == -1)
        {
            last = begin + ((arguments.Count - begin) / spec.Limit) - 1;
        }

        last = Math.Min(last, arguments.Count - 1);
        return true;
    }

    private static bool TryCounted(in RedisKeySpec spec, in RespArguments arguments, int begin, out int first, out int last)
    {
        first = begin + spec.Span;
        last = 0;
        int at = begin + spec.CountIndex;
        if (at >= arguments.Count
            || !Utf8Parser.TryParse(arguments[at], out int count, out int used) || used != arguments[at].Length
            || count < 0 || count > arguments.Count - first)
        {
            return false;
        }

        last = first + ((count - 1) * spec.Step);
        return true;
    }
}
