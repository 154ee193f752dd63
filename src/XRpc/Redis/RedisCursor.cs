using System.Buffers.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// The cursor of a SCAN over several nodes. The server's cursor is smaller than the size of its hash table, so there is room below
/// it for the node: cursor × 4096 + node. With one node the server's own number is passed on. A scan that goes on after nodes
/// were added or taken away ends early or repeats keys, and never asks a node that is not there.
/// </summary>
/// <param name="Node">Node that is asked.</param>
/// <param name="Nodes">Number of nodes.</param>
/// <param name="Place">The server's own cursor.</param>
public readonly record struct RedisCursor(int Node, int Nodes, ulong Place)
{
    /// <summary>Nodes that a cursor can tell apart.</summary>
    public const int MaxNodes = 4096;

    /// <summary>Reads a client's cursor.</summary>
    /// <param name="argument">Decimal digits.</param>
    /// <param name="nodes">Number of nodes now, 1 to <see cref="MaxNodes"/>.</param>
    /// <param name="cursor">Its node may be one that is not there any more: then the scan is over.</param>
    public static bool TryDecode(ReadOnlySpan<byte> argument, int nodes, out RedisCursor cursor)
    {
        bool valid = TryParse(argument, out ulong value);
        cursor = nodes <= 1 ? new RedisCursor(0, nodes, value) : new RedisCursor((int)(value % MaxNodes), nodes, value / MaxNodes);
        return valid;
    }

    /// <summary>The cursor for the client once the node answered with one of its own; 0 when all nodes are done.</summary>
    /// <param name="answered">Cursor the node answered with.</param>
    /// <param name="encoded">The client's.</param>
    /// <returns>Whether there is room for the node.</returns>
    public bool TryEncode(ulong answered, out ulong encoded)
    {
        if (Nodes <= 1)
        {
            encoded = answered;
            return true;
        }

        int node = answered == 0 ? Node + 1 : Node;
        encoded = node < Nodes ? (answered * MaxNodes) + (ulong)node : 0;
        return answered <= ulong.MaxValue / MaxNodes - 1;
    }

    /// <summary>Reads a cursor as the server does: decimal digits and nothing else.</summary>
    /// <param name="argument">Bytes as sent.</param>
    /// <param name="value">The number.</param>
    public static bool TryParse(ReadOnlySpan<byte> argument, out ulong value) =>
        Utf8Parser.TryParse(argument, out value, out int used) && used == argument.Length && argument[0] != '+';
}
