using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <content>Metadata that is set or removed on the way.</content>
public sealed partial class CodecConformance<TCodec>
{
    /// <summary>A name that no codec need know: an attachment.</summary>
    private const string Attachment = "x-added";

    /// <summary>Bytes of a body that change, beside the value itself, where one is put into it: a count, a length, a mark for none.</summary>
    private const int MostCounted = 4;

    /// <summary>Some value can be set or removed in some golden request and is so then, and nothing else; or none can be anywhere.</summary>
    private void MetadataEdits()
    {
        bool any = false;
        string[] names = [.. Traits.Meta.Select(static key => key.Name).Append(Attachment).Distinct()];
        foreach (GoldenFrame frame in Sample.From(Side.Downstream).Where(static frame => frame.Kind is FrameKind.Request or FrameKind.StreamOpen))
        {
            foreach (int length in KnownAt(frame))
            {
                foreach (string name in names)
                {
                    any |= IsSet(frame, name, length);
                    any |= frame.Meta.ContainsKey(name) && IsRemoved(frame, name, length);
                }
            }
        }

        Require(any == Traits.EditsMetadata, $"the traits say {nameof(CodecTraits.EditsMetadata)} is {Traits.EditsMetadata}, and metadata can{(any ? "" : " not")} be set");
    }

    private static bool IsSet(GoldenFrame frame, string name, int length)
    {
        string value = frame.Meta.GetValueOrDefault(name) == "x" ? "y" : "x";
        byte[] output = WithMeta(frame, name, value, length);
        if (output.Length == 0)
        {
            return false;
        }

        GoldenFrame edited = frame with
        {
            Name = $"{frame.Name}, {name} set to {value} in the first {length} bytes",
            Bytes = output,
            Meta = Traits.FindMeta(name) < 0 ? frame.Meta : frame.Meta.SetItem(name, value),
        };
        Unless(!output.AsSpan().SequenceEqual(frame.Bytes), edited, () => "it is what it was");
        RequireOtherwiseSame(frame, edited);
        RequireRestKept(frame, edited, name);
        RequireTogether(frame, edited, name, length);
        IsRemoved(edited, name, output.Length);
        return true;
    }

    private static bool IsRemoved(GoldenFrame frame, string name, int length)
    {
        byte[] output = WithMeta(frame, name, null, length);
        if (output.Length == 0)
        {
            return false;
        }

        GoldenFrame edited = frame with { Name = $"{frame.Name}, {name} removed in the first {length} bytes", Bytes = output, Meta = frame.Meta.Remove(name) };
        Unless(!output.AsSpan().SequenceEqual(frame.Bytes), edited, () => $"it is what it was: {name} is still there");
        RequireOtherwiseSame(frame, edited);
        RequireRestKept(frame, edited, name);
        return true;
    }

    /// <summary>
    /// With its own value again the frame has the bytes that it had, if in another order. Where that says nothing, since it had no value, or in other words, its
    /// body is what it was.
    /// </summary>
    private static void RequireRestKept(GoldenFrame frame, GoldenFrame edited, string name)
    {
        byte[] back = WithMeta(edited, name, frame.Meta.GetValueOrDefault(name), edited.Bytes.Length);
        bool isBack = back.Length == frame.Bytes.Length && Lost(frame.Bytes, back) == 0;
        if (back.Length > 0 && LiesInside(frame, name))
        {
            Unless(isBack, edited, () => $"with its own {name} again it is {Convert.ToHexString(back)}, and was {Convert.ToHexString(frame.Bytes)}");
            return;
        }

        ReadOnlySpan<byte> before = BodyOf(frame);
        ReadOnlySpan<byte> after = BodyOf(edited);
        int meta = Traits.FindMeta(name);
        bool mayLieInBody = meta < 0 || Traits.Meta[meta].Tier == MetaTier.WholeBody;
        int most = mayLieInBody ? MostCounted + Encoding.UTF8.GetByteCount(frame.Meta.GetValueOrDefault(name, "")) : 0;
        Unless(isBack || before.SequenceEqual(after) || (mayLieInBody && Lost(before, after) <= most), edited, () => "what is behind the head changed");
    }

    /// <summary>All that one edit says is done, as the runtime has a request's id, key and metadata written at once.</summary>
    private static void RequireTogether(GoldenFrame frame, GoldenFrame edited, string name, int length)
    {
        string? key = Traits.KeyMeta < 0 || Traits.Meta[Traits.KeyMeta].Name == name ? null : frame.Meta.GetValueOrDefault(Traits.Meta[Traits.KeyMeta].Name);
        int remove = key?.Length > 1 && !frame.KeepsKey ? 1 : 0;
        ulong? id = Traits.Order == FrameOrder.Multiplexed ? (frame.Id ^ 1) | 2 : null;
        GoldenFrame shorter = remove == 0 ? edited : edited with { Bytes = Edited(edited, new HeadEdit(RemoveKeyBytes: remove), edited.Bytes.Length) };
        byte[] expected = id is not { } other ? shorter.Bytes
            : Traits.IdIn(frame.From) is { } place ? Patched(shorter, place, other)
            : Edited(shorter, new HeadEdit(other), shorter.Bytes.Length);
        ReadOnlyMemory<byte> value = Encoding.UTF8.GetBytes(name == Attachment ? "x" : edited.Meta[name]);
        byte[] together = Edited(frame, new HeadEdit(id, remove, [new MetaEdit(name, value)]), length);
        Unless(
            together.AsSpan().SequenceEqual(expected),
            edited,
            () => $"with id {id} and {remove} bytes of its key removed too it is {Convert.ToHexString(together)}, and in turn {Convert.ToHexString(expected)}");
    }

    private static byte[] WithMeta(GoldenFrame frame, string name, string? value, int length) =>
        Edited(frame, new HeadEdit(Metadata: [new MetaEdit(name, value is null ? null : (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(value))]), length);

    private static bool LiesInside(GoldenFrame frame, string name)
    {
        TCodec codec = Scanned(frame.From, frame.Bytes, out FrameHead head);
        return codec.TryMeta(new FrameView(ref head, frame.Bytes, isWhole: true), Traits.FindMeta(name), out ReadOnlySpan<byte> value)
            && frame.Bytes.AsSpan().Overlaps(value);
    }

    /// <summary>How many bytes are no more there, wherever they were.</summary>
    private static int Lost(ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        Span<int> counts = stackalloc int[256];
        counts.Clear();
        foreach (byte value in before)
        {
            counts[value]++;
        }

        foreach (byte value in after)
        {
            counts[value]--;
        }

        int lost = 0;
        foreach (int count in counts)
        {
            lost += Math.Max(count, 0);
        }

        return lost;
    }
}
