using System.Text;

namespace MeshL4.XRpc.Redis;

/// <content>
/// Keys among options. The server's specifications say which word to look for; words that look the same may be values of other options, so
/// the options are gone through here as the commands themselves do (sort.c, geo.c, t_stream.c and cluster.c of redis-server 7).
/// </content>
public static partial class RedisKeys
{
    /// <summary>Where the keys of XREAD and XREADGROUP begin; 0 when they do not say.</summary>
    /// <param name="arguments">The command as sent.</param>
    /// <param name="block">Whether BLOCK is among the options before.</param>
    public static int FindStreams(in RespArguments arguments, out bool block)
    {
        block = false;
        for (int i = 1; i < arguments.Count; i++)
        {
            if (Is(arguments, i, "STREAMS"u8))
            {
                return i + 1;
            }

            bool blocks = Is(arguments, i, "BLOCK"u8);
            block |= blocks;
            i += Is(arguments, i, "GROUP"u8) ? 2 : blocks || Is(arguments, i, "COUNT"u8) ? 1 : 0;
        }

        return 0;
    }

    /// <summary>Where the keys of MIGRATE begin behind its options; 0 when it has only the one before them.</summary>
    private static int FindMigrated(in RespArguments arguments)
    {
        for (int i = 6; i < arguments.Count; i++)
        {
            if (Is(arguments, i, "KEYS"u8))
            {
                return i + 1;
            }

            i += Is(arguments, i, "AUTH2"u8) ? 2 : Is(arguments, i, "AUTH"u8) ? 1 : 0;
        }

        return 0;
    }

    /// <summary>Adds where SORT, GEORADIUS and GEORADIUSBYMEMBER store to. The server takes the last of several; rules and routes see them all.</summary>
    private static int AddStores(RedisCommand command, in RespArguments arguments, Span<int> indexes, int found)
    {
        bool sorts = command.Row == (int)RedisCommandId.Sort;
        for (int i = sorts ? 2 : command.Row == (int)RedisCommandId.Georadius ? 6 : 5; i < arguments.Count - 1 && found < indexes.Length; i++)
        {
            if (Is(arguments, i, "STORE"u8) || (!sorts && Is(arguments, i, "STOREDIST"u8)))
            {
                indexes[found++] = ++i;
            }
            else if (sorts)
            {
                i += Is(arguments, i, "LIMIT"u8) ? 2 : Is(arguments, i, "BY"u8) || Is(arguments, i, "GET"u8) ? 1 : 0;
            }
            else if (Is(arguments, i, "COUNT"u8))
            {
                i++;
            }
        }

        return found;
    }

    /// <summary>Whether SORT or SORT_RO has patterns of other keys to read. Without an asterisk BY reads nothing, and GET nothing but the element.</summary>
    internal static bool HasPatterns(in RespArguments arguments)
    {
        for (int i = 2; i < arguments.Count - 1; i++)
        {
            bool reads = Is(arguments, i, "BY"u8) || Is(arguments, i, "GET"u8);
            if (reads && arguments[i + 1].Contains((byte)'*'))
            {
                return true;
            }

            i += reads || Is(arguments, i, "STORE"u8) ? 1 : Is(arguments, i, "LIMIT"u8) ? 2 : 0;
        }

        return false;
    }

    private static bool Is(in RespArguments arguments, int index, ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(arguments[index], word);
}
