using System.Buffers;
using System.Runtime.InteropServices;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>Makes one answer of the answers to the parts of a command. They are all there, whole, and held by the runtime.</summary>
internal readonly ref partial struct RedisMerge
{
    private readonly RedisCommand _command;
    private readonly MergeReplies _replies;
    private readonly RedisCursor _cursor;
    private readonly ReadOnlySpan<int> _owners;

    // Bytes of each array's elements written so far.
    private readonly Span<int> _at;

    private RedisMerge(MergeReplies replies, Span<int> at)
    {
        _replies = replies;
        _at = at;
        Note note = MemoryMarshal.Read<Note>(replies.Notes);
        _command = RedisCommandTable.GetRow(note.Row);
        _cursor = new RedisCursor(note.Node, note.Nodes, 0);
        _owners = MemoryMarshal.Cast<byte, int>(replies.Notes[Marshal.SizeOf<Note>()..]);
    }

    /// <summary>Writes down what the merge has to know.</summary>
    /// <param name="notes">Notes of the request; the fragments of the keys may follow.</param>
    /// <param name="command">Its rule says how answers become one.</param>
    /// <param name="cursor">For SCAN, the node that is asked.</param>
    public static void WriteNotes(IBufferWriter<byte> notes, RedisCommand command, in RedisCursor cursor)
    {
        Note note = new(command.Row, cursor.Node, cursor.Nodes);
        notes.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<Note>(in note)));
    }

    /// <summary>Writes the one answer.</summary>
    /// <param name="replies">The answers to the parts.</param>
    /// <param name="output">Takes one reply.</param>
    public static void Write(MergeReplies replies, IBufferWriter<byte> output)
    {
        int[] rented = ArrayPool<int>.Shared.Rent(replies.Count);
        Span<int> at = rented.AsSpan(0, replies.Count);
        at.Clear();
        new RedisMerge(replies, at).Write(output);
        ArrayPool<int>.Shared.Return(rented);
    }

    private string Name => _command.Name.Replace('|', ' ');

    private ReadOnlySpan<byte> Reply(int part) => SkipAttributes(_replies[part]);

    private readonly record struct Note(int Row, int Node, int Nodes);
}
