using System.Buffers.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>Finds the keys among a command's arguments by the server's key specifications.</summary>
public static class RedisKeys
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
            int begin = Begin(spec, arguments);
            if (begin > 0 && begin < arguments.Count && TryRange(spec, arguments, begin, out int first, out int last))
            {
                for (int i = first; i <= last && found < indexes.Length; i += spec.Step)
                {
                    indexes[found++] = i;
                }
            }
        }

        return command.Row == (int)RedisCommandId.Sort && FindStore(arguments) is var store and > 0 && found < indexes.Length
            ? Add(indexes, found, store)
            : found;
    }

    private static int Add(Span<int> indexes, int found, int index)
    {
        indexes[found] = index;
        return found + 1;
    }

    /// <summary>Where SORT's STORE says to: the server does not tell, as options before it may have arguments that look the same.</summary>
    private static int FindStore(in RespArguments arguments)
    {
        for (int i = 2; i < arguments.Count - 1; i++)
        {
            if (EqualsKeyword(arguments[i], "STORE"))
            {
                return i + 1;
            }

            i += EqualsKeyword(arguments[i], "LIMIT") ? 2 : EqualsKeyword(arguments[i], "BY") || EqualsKeyword(arguments[i], "GET") ? 1 : 0;
        }

        return 0;
    }

    private static int Begin(in RedisKeySpec spec, in RespArguments arguments)
    {
        if (spec.Keyword.Length == 0)
        {
            return spec.Begin;
        }

        // A negative start means: look backwards from there.
        int step = spec.Begin < 0 ? -1 : 1;
        for (int i = spec.Begin < 0 ? arguments.Count + spec.Begin : spec.Begin; i > 0 && i < arguments.Count; i += step)
        {
            if (EqualsKeyword(arguments[i], spec.Keyword))
            {
                return i + 1;
            }
        }

        return 0;
    }

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

    private static bool EqualsKeyword(ReadOnlySpan<byte> argument, string keyword)
    {
        if (argument.Length != keyword.Length)
        {
            return false;
        }

        for (int i = 0; i < keyword.Length; i++)
        {
            if ((argument[i] & 0xDF) != keyword[i])
            {
                return false;
            }
        }

        return true;
    }
}
