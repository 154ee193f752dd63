using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>What servers get of a frame: its bytes under an id of the connection, and with what the route changes.</content>
internal sealed partial class XRpcSession<TCodec>
{
    private bool Write(
        in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> link, ulong id, RequestState<TCodec>? state)
    {
        if (!TryEdit(frame, decision, route, id, out ReadOnlySpan<byte> bytes, out bool holdsId))
        {
            return false;
        }

        if (id != 0 && !holdsId)
        {
            // The bytes are this loop's own receive buffer.
            IdBytes.Write(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(bytes), bytes.Length), TCodec.Traits.Id!, id);
        }

        if (state is { KeepsRequest: true })
        {
            state.KeepForRetry(bytes, this);
        }

        link.Output.Append(bytes);
        return true;
    }

    /// <summary>What a server gets of a frame: as the conversation or the codec wrote it anew, or as it came.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="decision">Says where its key is. Without one there is nothing to take a prefix off, or the conversation did.</param>
    /// <param name="route">Says what is taken off and added.</param>
    /// <param name="id">The id there; 0 for none.</param>
    /// <param name="bytes">What it gets.</param>
    /// <param name="holdsId">Whether the id is in these bytes already.</param>
    /// <returns>False where the codec cannot write it.</returns>
    private bool TryEdit(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, ulong id, out ReadOnlySpan<byte> bytes, out bool holdsId)
    {
        ReadOnlySpan<byte> replaced = _owner.Exchange.ReplacementBytes;
        bytes = replaced.IsEmpty ? frame.Bytes : replaced;
        int remove = route.RemoveKeyPrefix && decision.KeyLength > 0 ? route.Match.KeyPrefix.Length : 0;
        holdsId = replaced.IsEmpty && (remove > 0 || !route.Policies.RequestMetadata.IsEmpty || (id != 0 && TCodec.Traits.Id is null));
        if (!holdsId)
        {
            return true;
        }

        ScratchWriter edited = _owner.Edited;
        edited.Clear();
        if (!_codec.WriteEdited(frame, new HeadEdit(id == 0 ? null : id, remove, MetadataOf(route)), edited))
        {
            return false;
        }

        bytes = edited.Written;
        return true;
    }

    /// <summary>Appends a frame with another id, when the protocol has ids at a fixed place.</summary>
    private static void WriteCopy(UpstreamLink<TCodec> link, ReadOnlySpan<byte> bytes, ulong id)
    {
        if (id != 0 && TCodec.Traits.Id is { } place)
        {
            Span<byte> room = link.Output.GetSpan(bytes.Length);
            bytes.CopyTo(room);
            IdBytes.Write(room, place, id);
            link.Output.Advance(bytes.Length);
        }
        else
        {
            link.Output.Append(bytes);
        }

        link.MarkDirty();
    }
}
