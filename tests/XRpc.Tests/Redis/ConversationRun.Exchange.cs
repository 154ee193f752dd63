using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.XRpc.Tests.Redis;

/// <content>Routes and connections.</content>
internal sealed partial class ConversationRun : IExchange
{
    private readonly ArrayBufferWriter<byte> _answer = new();
    private readonly ArrayBufferWriter<byte> _before = new();
    private readonly ArrayBufferWriter<byte> _replacement = new();
    private readonly ArrayBufferWriter<byte> _notes = new();
    private readonly List<(int Node, ArrayBufferWriter<byte> Bytes)> _fragments = [];

    /// <summary>Nodes in the order of asking: their places are the targets.</summary>
    private readonly List<int> _asked = [];

    public bool RoutesByKey => _peers.Length > 1 || _prefixes;

    public bool IsQuiet { get; set; } = true;

    public ConnectionProfile Profile { get; set; } = ConnectionProfile.None;

    public bool IsPinned => _pinned is not null;

    public int PinnedTarget => IsPinned ? TargetOf(_pinnedNode) : -1;

    public bool IsRelaying { get; private set; }

    public IBufferWriter<byte> Answer => _answer;

    public IBufferWriter<byte> Before => _before;

    public IBufferWriter<byte> Replacement => _replacement;

    public IBufferWriter<byte> Notes => _notes;

    public int NodeOf(string key) => NodeOf(Encoding.Latin1.GetBytes(key));

    public int TargetOf(ReadOnlySpan<byte> key, bool readOnly, out int removeKeyBytes)
    {
        removeKeyBytes = _prefixes && key.StartsWith("p:"u8) ? 2 : 0;
        return key.StartsWith("none:"u8) ? -1 : TargetOf(NodeOf(key));
    }

    public int HomeOf(ReadOnlySpan<byte> key) => TargetOf(key, readOnly: false, out _);

    public int AllTargets(bool home = false)
    {
        for (int i = 0; i < _peers.Length; i++)
        {
            TargetOf(i);
        }

        return _peers.Length;
    }

    public IBufferWriter<byte> Fragment(int target)
    {
        _fragments.Add((_asked[target], new ArrayBufferWriter<byte>()));
        return _fragments[^1].Bytes;
    }

    private int NodeOf(ReadOnlySpan<byte> key)
    {
        uint hash = 2166136261;
        foreach (byte value in RedisKeyHash.HashTag(key))
        {
            hash = (hash ^ value) * 16777619;
        }

        return (int)(hash % (uint)_peers.Length);
    }

    private int TargetOf(int node)
    {
        if (!_asked.Contains(node))
        {
            _asked.Add(node);
        }

        return _asked.IndexOf(node);
    }

    private void Begin()
    {
        _asked.Clear();
        _fragments.Clear();
        foreach (ArrayBufferWriter<byte> writer in new[] { _answer, _before, _replacement, _notes })
        {
            writer.ResetWrittenCount();
        }
    }

    private RedisLink LinkFor(in Decision decision, byte[] frame)
    {
        if (_pinned is { } pinned)
        {
            IsRelaying |= (decision.Flags & ForwardFlags.Relay) != 0;
            return pinned;
        }

        int node = decision.TargetPlusOne > 0 ? _asked[decision.TargetPlusOne - 1] : NodeOf(frame.AsSpan(decision.KeyOffset, decision.KeyLength));
        if ((decision.Flags & (ForwardFlags.Pin | ForwardFlags.PinOnce | ForwardFlags.Relay)) == 0)
        {
            return Shared(node);
        }

        RedisLink link = Open(node);
        _private.Add(link);
        if ((decision.Flags & ForwardFlags.PinOnce) == 0)
        {
            (_pinned, _pinnedNode) = (link, node);
            IsRelaying = (decision.Flags & ForwardFlags.Relay) != 0;
        }

        return link;
    }

    private RedisLink Shared(int node) =>
        _shared.TryGetValue((Profile, node), out RedisLink? link) ? link : _shared[(Profile, node)] = Open(node);

    private RedisLink Open(int node)
    {
        RedisLink link = _peers[node].Open();
        if (Profile.Replies > 0)
        {
            link.Send(Profile.Preamble.Span);
        }

        for (int i = 0; i < Profile.Replies; i++)
        {
            byte[] reply = link.Receive(out FrameHead head);
            if (head.Kind == FrameKind.ErrorResponse)
            {
                link.Dispose();
                throw new InvalidDataException(Encoding.Latin1.GetString(reply));
            }
        }

        return link;
    }

    private byte[] Edited(in Decision decision, byte[] frame)
    {
        if (!_prefixes || decision.KeyLength < 2 || !frame.AsSpan(decision.KeyOffset).StartsWith("p:"u8))
        {
            return frame;
        }

        var output = new ArrayBufferWriter<byte>();
        FrameHead head = default;
        return _codec.WriteEdited(new FrameView(ref head, frame, true), new HeadEdit(RemoveKeyBytes: 2), output)
            ? output.WrittenSpan.ToArray()
            : throw new InvalidOperationException("not edited");
    }
}
