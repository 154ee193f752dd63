using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <content>Whether the traits are true.</content>
public sealed partial class CodecConformance<TCodec>
{
    private void TraitsAreConsistent()
    {
        CodecTraits traits = Traits;
        Require(ReferenceEquals(traits, TCodec.Traits), "Traits makes a new value at every look");
        Require(traits.Name.Length > 0 && traits.Name == traits.Name.ToLowerInvariant(), "the name is not lower case");
        Require(traits.MaxHead is > 0 and <= 64 * 1024, $"a head of {traits.MaxHead} bytes");
        Require(traits.KeyMeta >= -1 && traits.KeyMeta < traits.Meta.Length, $"there is no metadata {traits.KeyMeta}, said to be the key");
        Require(traits.ServiceMeta >= -1 && traits.ServiceMeta < traits.Meta.Length, $"there is no metadata {traits.ServiceMeta}, said to be the service");
        Require(traits.KeyMeta < 0 || traits.Meta[traits.KeyMeta].Tier < MetaTier.WholeBody, "a key that needs the whole body has every body held");
        Require(traits.Meta.Select(static key => key.Name).Distinct().Count() == traits.Meta.Length, "two metadata values of one name");
        Require(traits.Meta.All(static key => key.Name == key.Name.ToLowerInvariant()), "a metadata name is not lower case");
        Require(traits.Methods.All(static name => name == name.ToLowerInvariant()), "a method's name is not lower case");
        Require(traits.ReplySeedBytes is >= 0 and <= CodecTraits.MostReplySeedBytes, $"{traits.ReplySeedBytes} bytes of every request in flight are kept for its answer");
        Require(traits.IdBits is > 0 and <= 64, $"ids of {traits.IdBits} bits");
        foreach (Side side in Enum.GetValues<Side>())
        {
            Require(traits.IdIn(side) is not { } id || (id.Width is 1 or 2 or 4 or 8 && id.Offset >= 0 && traits.IdBits <= id.Width * 8), "the id's place and its bits do not fit");
        }

        Require(traits.ReplyId is null || traits.Id is not null, "ids have a place in answers, and none in requests");
    }

    private void FramesHonourTraits()
    {
        bool anyId = false;
        foreach (GoldenFrame frame in Sample.Frames)
        {
            Scanned(frame.From, frame.Bytes, out FrameHead head);
            anyId |= IsPaired(head.Kind) && head.Id != 0;
            bool isRequest = head.Kind is FrameKind.Request or FrameKind.StreamOpen;
            bool isOneWay = (head.Flags & FrameFlags.OneWay) != 0;
            Unless(head.Kind != FrameKind.Request || (head.HeadLength > 0 && head.HeadLength <= Traits.MaxHead && head.HeadLength <= head.Length), frame, () => $"a head of {head.HeadLength} bytes in {head.Length}, where {Traits.MaxHead} are the most");
            Unless(head.Method >= 0 && head.Method < Math.Max(1, Traits.Methods.Length), frame, () => $"method {head.Method} has no name");
            Unless(!isRequest || isOneWay == (head.Replies == 0), frame, () => $"one-way is {isOneWay}, but {head.Replies} replies are due");
            Unless(!isOneWay || isRequest, frame, () => $"a {head.Kind} is one-way");
            Unless(SpeaksRightly(head.Kind, frame.From), frame, () => $"a {head.Kind} of {frame.From}");
            Unless((head.Flags & (FrameFlags.Pin | FrameFlags.Unpin)) == 0 || Traits.Affinity == Affinity.PinOnDemand, frame, () => $"{head.Flags} of a protocol that is {Traits.Affinity}");
            Unless(Traits.Order == FrameOrder.Multiplexed || head.Id == 0, frame, () => $"id {head.Id} of a protocol whose answers are in order");
        }

        Require(Traits.Order != FrameOrder.Multiplexed || anyId, "multiplexed, and no golden request or answer has an id");
        Require(Sample.From(Side.Downstream).Any(static frame => frame.Kind is FrameKind.Request or FrameKind.StreamOpen), "no golden request");
        Require(
            Sample.From(Side.Upstream).Any(static frame => frame.Kind is FrameKind.Response or FrameKind.StreamData or FrameKind.StreamEnd)
                || Sample.From(Side.Downstream).All(static frame => frame.Replies == 0),
            "no golden answer");
        foreach ((Heartbeats heartbeat, Side side) in ((Heartbeats, Side)[])[(Heartbeats.FromClient, Side.Downstream), (Heartbeats.FromServer, Side.Upstream)])
        {
            Require(Traits.Heartbeats.HasFlag(heartbeat) || Sample.From(side).All(static frame => frame.Kind != FrameKind.Ping), $"a golden Ping of {side}, but the traits say {Traits.Heartbeats}");
        }
    }

    /// <summary>Whether an id tells what a frame belongs to; others may have one.</summary>
    private static bool IsPaired(FrameKind kind) =>
        kind is FrameKind.Request or FrameKind.Response or FrameKind.ErrorResponse or FrameKind.StreamOpen or FrameKind.StreamData or FrameKind.StreamEnd;

    private static bool SpeaksRightly(FrameKind kind, Side from) => kind switch
    {
        FrameKind.None => false,
        FrameKind.Request or FrameKind.StreamOpen => from == Side.Downstream,
        FrameKind.Response or FrameKind.ErrorResponse or FrameKind.Push => from == Side.Upstream,
        _ => true,
    };

    private static void Require(bool holds, string message) => ConformanceException.Unless(holds, () => $"{Traits.Name}: {message}");
}
