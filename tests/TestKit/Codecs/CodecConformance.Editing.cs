using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <content>Frames on their way with something changed.</content>
public sealed partial class CodecConformance<TCodec>
{
    private void Identity()
    {
        foreach (GoldenFrame frame in Sample.Frames)
        {
            foreach (int length in KnownAt(frame))
            {
                byte[] output = Edited(frame, default, length);
                Unless(output.Length == 0 || output.AsSpan().SequenceEqual(frame.Bytes), frame, () => $"without an edit it became {Convert.ToHexString(output)}");
            }
        }
    }

    private void IdRewrite()
    {
        if (Traits.Order != FrameOrder.Multiplexed)
        {
            ConformanceException.Unless(Traits.Id is null && Traits.ReplyId is null, () => $"{Name}: has a place for ids, but answers are in order");
            return;
        }

        int rewritten = 0;
        foreach (GoldenFrame frame in Sample.Frames.Where(static frame => IsPaired(frame.Kind) || (frame.Id != 0 && frame.Kind != FrameKind.GoAway)))
        {
            Scanned(frame.From, frame.Bytes, out FrameHead before);
            foreach (ulong id in (ulong[])[1, 2, before.Id ^ 1, HighestId >> 1, HighestId])
            {
                foreach (int length in id == 0 ? [] : KnownAt(frame))
                {
                    RequireRewritten(frame, before, id, length);
                    rewritten++;
                }
            }
        }

        Require(rewritten > 0, "multiplexed, but no golden frame has an id");
    }

    private static void RequireRewritten(GoldenFrame frame, in FrameHead before, ulong id, int length)
    {
        byte[] output = Traits.IdIn(frame.From) is { } place ? Patched(frame, place, id) : Edited(frame, new HeadEdit(id), length);
        Unless(output.Length > 0, frame, () => $"id {id} cannot be written");
        Scanned(frame.From, output, out FrameHead after, $"'{frame.Name}' with id {id}");
        Unless(after.Id == id, frame, () => $"with id {id} written it has {after.Id}");
        FrameHead same = after with { Id = before.Id, Length = before.Length };
        Unless(new ScannedFrame(ScanStatus.Done, same).IsSameAs(new ScannedFrame(ScanStatus.Done, before)), frame, () => $"id {id} changed more than the id");
        GoldenFrame changed = frame with { Bytes = output };
        byte[] back = Traits.IdIn(frame.From) is { } again ? Patched(changed, again, frame.Id) : Edited(changed, new HeadEdit(frame.Id), output.Length);
        Unless(back.AsSpan().SequenceEqual(frame.Bytes), frame, () => $"with id {id} and then its own again it is {Convert.ToHexString(back)}");
        byte[] edited = Traits.Id is null ? output : Edited(frame, new HeadEdit(id), length);
        Unless(edited.Length == 0 || edited.AsSpan().SequenceEqual(output), frame, () => $"WriteEdited writes id {id} other than the traits say");
    }

    private static byte[] Patched(GoldenFrame frame, FixedId place, ulong id)
    {
        Unless(frame.Bytes.Length >= place.Offset + place.Width, frame, () => "the place of the id is behind its end");
        byte[] output = [.. frame.Bytes];
        for (int i = 0; i < place.Width; i++)
        {
            int shift = 8 * (place.BigEndian ? place.Width - 1 - i : i);
            output[place.Offset + i] = (byte)(id >> shift);
        }

        return output;
    }

    private void KeyPrefix()
    {
        if (Traits.KeyMeta < 0)
        {
            return;
        }

        string name = Traits.Meta[Traits.KeyMeta].Name;
        GoldenFrame[] keyed = [.. Sample.From(Side.Downstream).Where(frame => frame.Meta.GetValueOrDefault(name)?.Length > 1)];
        ConformanceException.Unless(keyed.Length > 0, () => $"{Name}: no golden request has a {name} of two bytes or more");
        foreach (GoldenFrame frame in keyed)
        {
            foreach (int length in KnownAt(frame))
            {
                RequireShorterKey(frame, name, 1, length);
                RequireShorterKey(frame, name, Encoding.UTF8.GetByteCount(frame.Meta[name]) - 1, length);
            }

            Unless(Edited(frame, new HeadEdit(RemoveKeyBytes: 1 << 20), frame.Bytes.Length).Length == 0, frame, () => $"more than its {name} was removed");
        }
    }

    private static void RequireShorterKey(GoldenFrame frame, string name, int remove, int length)
    {
        byte[] output = Edited(frame, new HeadEdit(RemoveKeyBytes: remove), length);
        if (output.Length == 0)
        {
            Unless(frame.KeepsKey, frame, () => $"{remove} bytes of its {name} cannot be removed, and {nameof(GoldenFrame.KeepsKey)} is not said of it");
            return;
        }

        byte[] rest = Encoding.UTF8.GetBytes(frame.Meta[name])[remove..];
        GoldenFrame shorter = frame with
        {
            Name = $"{frame.Name}, {remove} bytes of its {name} removed in the first {length}",
            Bytes = output,
            Meta = frame.Meta.SetItem(name, Encoding.UTF8.GetString(rest)),
        };
        RequireOtherwiseSame(frame, shorter);
        Unless(BodyOf(shorter).SequenceEqual(BodyOf(frame)), shorter, () => "what is behind the head changed");
    }

    /// <summary>An edited frame is one frame, of which the head and the metadata are as expected.</summary>
    private static void RequireOtherwiseSame(GoldenFrame frame, GoldenFrame edited)
    {
        Scanned(frame.From, frame.Bytes, out FrameHead before);
        TCodec codec = Scanned(edited.From, edited.Bytes, out FrameHead after, $"'{edited.Name}'");
        RequireMeta(edited, ref codec, new FrameView(ref after, edited.Bytes, isWhole: true), MetaTier.WholeBody);
        var same = new ScannedFrame(ScanStatus.Done, after with { HeadLength = before.HeadLength, Length = before.Length });
        var was = new ScannedFrame(ScanStatus.Done, before);
        Unless(same.IsSameAs(was), edited, () => $"its head is {same}, and was {was}");
    }

    /// <summary>What is behind the values that are known at Head.</summary>
    private static ReadOnlySpan<byte> BodyOf(GoldenFrame frame)
    {
        Scanned(frame.From, frame.Bytes, out FrameHead head);
        return frame.Bytes.AsSpan(head.HeadLength);
    }
}
