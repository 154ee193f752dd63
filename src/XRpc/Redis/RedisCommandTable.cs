using System.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>The commands of redis-server, looked up by name without allocation.</summary>
public static partial class RedisCommandTable
{
    private const int SlotCount = 1024;
    private const int MaxName = 32;

    private static readonly RedisCommand[] Commands = CreateCommands();
    private static readonly RedisCommand[] Rows = [.. Commands, .. CreateSubcommands()];
    private static readonly byte[][] Names = Array.ConvertAll(Commands, static c => Encoding.UTF8.GetBytes(c.Name));
    private static readonly byte[] FirstKeys = Array.ConvertAll(Commands, static c => (byte)c.FirstKey);
    private static readonly byte[] Slots = BuildSlots();
    private static readonly (byte[] Name, RedisCommand Command)[]?[] Subcommands = BuildSubcommands();

    /// <summary>Number of ids, <see cref="RedisCommandId.Other"/> included.</summary>
    public static int Count => Commands.Length;

    /// <summary>The row of an id.</summary>
    /// <param name="id">Any value of the enumeration.</param>
    public static RedisCommand Get(RedisCommandId id) => Commands[(int)id];

    /// <summary>A command or subcommand by its <see cref="RedisCommand.Row"/>.</summary>
    /// <param name="row">From 0.</param>
    public static RedisCommand GetRow(int row) => Rows[row];

    /// <summary>Argument index of a command's first key when that is fixed, else 0.</summary>
    /// <param name="id">Any value of the enumeration.</param>
    public static int FirstKey(RedisCommandId id) => FirstKeys[(int)id];

    /// <summary>Finds a command by name in any case; <see cref="RedisCommandId.Other"/> when the server has none of that name.</summary>
    /// <param name="name">Bytes as the client sent them.</param>
    public static RedisCommandId Find(ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > MaxName)
        {
            return RedisCommandId.Other;
        }

        for (uint slot = Hash(name); ; slot++)
        {
            byte id = Slots[slot & (SlotCount - 1)];
            if (id == 0 || Ascii.EqualsIgnoreCase(name, Names[id]))
            {
                return (RedisCommandId)id;
            }
        }
    }

    /// <summary>Finds a subcommand by name in any case; null when the container is none, or the server has none of that name.</summary>
    /// <param name="container">Command whose second word names a subcommand.</param>
    /// <param name="name">Second word, as the client sent it.</param>
    public static RedisCommand? FindSubcommand(RedisCommandId container, ReadOnlySpan<byte> name)
    {
        foreach ((byte[] known, RedisCommand command) in Subcommands[(int)container] ?? [])
        {
            if (Ascii.EqualsIgnoreCase(name, known))
            {
                return command;
            }
        }

        return null;
    }

    /// <summary>The rows of a container's subcommands; none for other commands. Allocates.</summary>
    /// <param name="container">Any value of the enumeration.</param>
    internal static IEnumerable<RedisCommand> SubcommandsOf(RedisCommandId container) => (Subcommands[(int)container] ?? []).Select(static one => one.Command);

    private static uint Hash(ReadOnlySpan<byte> name)
    {
        uint hash = (uint)name.Length;
        foreach (byte b in name)
        {
            hash = (hash * 31) + (b & 0xDFu);
        }

        return hash ^ (hash >> 10);
    }

    private static (byte[] Name, RedisCommand Command)[]?[] BuildSubcommands()
    {
        var table = new (byte[], RedisCommand)[]?[Count];
        for (int row = 0; row < Rows.Length; row++)
        {
            Rows[row].Row = row;
        }

        foreach (IGrouping<string, RedisCommand> group in Rows.Skip(Count).GroupBy(static c => c.Name[..c.Name.IndexOf('|')]))
        {
            table[(int)Find(Encoding.UTF8.GetBytes(group.Key))] =
                [.. group.Select(c => (Encoding.UTF8.GetBytes(c.Name[(group.Key.Length + 1)..]), c))];
        }

        return table;
    }

    private static byte[] BuildSlots()
    {
        byte[] slots = new byte[SlotCount];
        for (int id = 1; id < Names.Length; id++)
        {
            uint slot = Hash(Names[id]);
            while (slots[slot & (SlotCount - 1)] != 0)
            {
                slot++;
            }

            slots[slot & (SlotCount - 1)] = (byte)id;
        }

        return slots;
    }
}
