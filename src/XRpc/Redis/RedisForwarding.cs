using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>How commands without any state are forwarded, looked up by number on the hot path.</summary>
internal static class RedisForwarding
{
    private static readonly short[] OneKey = Build(static c => c.Rule is RedisRule.Default or RedisRule.Home || (c.Rule == RedisRule.Key && c.IsSingleKey));
    private static readonly short[] ManyKeys = Build(static c => c.Rule is RedisRule.Key or RedisRule.Split);

    private static readonly RedisCommand?[] ForBlocked =
    [
        RedisCommandTable.FindSubcommand(RedisCommandId.Script, "KILL"u8),
        RedisCommandTable.FindSubcommand(RedisCommandId.Function, "KILL"u8),
        RedisCommandTable.FindSubcommand(RedisCommandId.Function, "STATS"u8),
        RedisCommandTable.FindSubcommand(RedisCommandId.Client, "UNPAUSE"u8),
    ];

    /// <summary>Whether a command ends what other requests wait for, or tells what it is: it must not wait behind them.</summary>
    public static bool IsForBlocked(RedisCommand command) => Array.IndexOf(ForBlocked, command) >= 0;

    /// <summary>Flags of a command that its head alone decides on: one key at a fixed place, or none at all; -1 for others.</summary>
    public static int OfOneKey(RedisCommandId command) => OneKey[(int)command];

    /// <summary>Flags of a command that goes where its keys are; -1 for others. For proxies on which keys do not matter.</summary>
    public static int OfManyKeys(RedisCommandId command) => ManyKeys[(int)command];

    /// <summary>Whether a command concerns channels: all clients meet at one node for them.</summary>
    public static bool IsHome(RedisCommand command) => command.Rule == RedisRule.Home || (command.Flags & RedisCommandFlags.PubSub) != 0;

    /// <summary>Flags of a command that is forwarded once.</summary>
    public static ForwardFlags FlagsOf(RedisCommand command) =>
        IsHome(command) ? ForwardFlags.Home
            : Reads(command) ? ForwardFlags.ReadOnly | ForwardFlags.Idempotent : ForwardFlags.None;

    /// <summary>A container that goes by its key whatever the subcommand (OBJECT, XINFO) reads when all of those with a key do: its own row does not tell.</summary>
    private static bool Reads(RedisCommand command) =>
        (command.Flags & RedisCommandFlags.ReadOnly) != 0
        || (!command.IsSubcommand && RedisCommandTable.SubcommandsOf((RedisCommandId)command.Row).Where(static sub => sub.Keys.Count > 0) is var keyed
            && keyed.Any() && keyed.All(static sub => (sub.Flags & RedisCommandFlags.ReadOnly) != 0));

    private static short[] Build(Func<RedisCommand, bool> takes)
    {
        short[] table = new short[RedisCommandTable.Count];
        for (int id = 0; id < table.Length; id++)
        {
            RedisCommand command = RedisCommandTable.Get((RedisCommandId)id);
            table[id] = takes(command) ? (short)FlagsOf(command) : (short)-1;
        }

        return table;
    }
}
