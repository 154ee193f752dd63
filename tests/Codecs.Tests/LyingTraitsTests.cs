using MeshL4.Samples.PingPong;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit finds traits that are not true: the sample's codec with one lie at a time.</summary>
public sealed class LyingTraitsTests
{
    private static readonly Dictionary<string, ICodecConformance> Kits = new()
    {
        [nameof(NameInUpperCase)] = LyingKit.Of<NameInUpperCase>(),
        [nameof(HeadOfAMegabyte)] = LyingKit.Of<HeadOfAMegabyte>(),
        [nameof(KeyThatIsNotThere)] = LyingKit.Of<KeyThatIsNotThere>(),
        [nameof(KeyBehindTheBody)] = LyingKit.Of<KeyBehindTheBody>(),
        [nameof(ServiceThatIsNotThere)] = LyingKit.Of<ServiceThatIsNotThere>(),
        [nameof(MetadataTwice)] = LyingKit.Of<MetadataTwice>(),
        [nameof(MetadataInUpperCase)] = LyingKit.Of<MetadataInUpperCase>(),
        [nameof(MethodsInUpperCase)] = LyingKit.Of<MethodsInUpperCase>(),
        [nameof(NoBitsForIds)] = LyingKit.Of<NoBitsForIds>(),
        [nameof(MoreBitsThanTheIdHas)] = LyingKit.Of<MoreBitsThanTheIdHas>(),
        [nameof(IdOfThreeBytes)] = LyingKit.Of<IdOfThreeBytes>(),
        [nameof(ReplyIdOfThreeBytes)] = LyingKit.Of<ReplyIdOfThreeBytes>(),
        [nameof(ReplyIdAlone)] = LyingKit.Of<ReplyIdAlone>(),
        [nameof(ReplyIdElsewhere)] = LyingKit.Of<ReplyIdElsewhere>(),
        [nameof(KeepsWholeRequests)] = LyingKit.Of<KeepsWholeRequests>(),
        [nameof(NewTraitsAtEveryLook)] = LyingKit.Of<NewTraitsAtEveryLook>(),
        [nameof(AnswersInOrder)] = LyingKit.Of<AnswersInOrder>(),
        [nameof(NoHeartbeats)] = LyingKit.Of<NoHeartbeats>(),
        [nameof(ClientsHeartbeatsAlone)] = LyingKit.Of<ClientsHeartbeatsAlone>(),
        [nameof(MethodsWithoutNames)] = LyingKit.Of<MethodsWithoutNames>(),
        [nameof(SharedThoughItPins)] = LyingKit.Of<SharedThoughItPins>(),
        [nameof(NoIds)] = LyingKit.Of<NoIds>(),
        [nameof(OneWayWithAnAnswer)] = LyingKit.Of<OneWayWithAnAnswer>(),
        [nameof(AnswersThatAreOneWay)] = LyingKit.Of<AnswersThatAreOneWay>(),
        [nameof(ServersThatAsk)] = LyingKit.Of<ServersThatAsk>(),
        [nameof(NoEditsOfMetadata)] = LyingKit.Of<NoEditsOfMetadata>(),
        [nameof(IdElsewhere)] = LyingKit.Of<IdElsewhere>(),
        [nameof(MetadataInTheHead)] = LyingKit.Of<MetadataInTheHead>(),
    };

    public static TheoryData<string, string, string> Lies => new()
    {
        { nameof(NameInUpperCase), "traits are consistent", "the name is not lower case" },
        { nameof(HeadOfAMegabyte), "traits are consistent", "a head of 1048576 bytes" },
        { nameof(KeyThatIsNotThere), "traits are consistent", "there is no metadata 9, said to be the key" },
        { nameof(KeyBehindTheBody), "traits are consistent", "a key that needs the whole body" },
        { nameof(ServiceThatIsNotThere), "traits are consistent", "there is no metadata 9, said to be the service" },
        { nameof(MetadataTwice), "traits are consistent", "two metadata values of one name" },
        { nameof(MetadataInUpperCase), "traits are consistent", "a metadata name is not lower case" },
        { nameof(MethodsInUpperCase), "traits are consistent", "a method's name is not lower case" },
        { nameof(NoBitsForIds), "traits are consistent", "ids of 0 bits" },
        { nameof(MoreBitsThanTheIdHas), "traits are consistent", "the id's place and its bits do not fit" },
        { nameof(IdOfThreeBytes), "traits are consistent", "the id's place and its bits do not fit" },
        { nameof(ReplyIdOfThreeBytes), "traits are consistent", "the id's place and its bits do not fit" },
        { nameof(ReplyIdAlone), "traits are consistent", "ids have a place in answers, and none in requests" },
        { nameof(ReplyIdElsewhere), "a new id changes the id only", "one frame" },
        { nameof(KeepsWholeRequests), "traits are consistent", "1025 bytes of every request in flight" },
        { nameof(NewTraitsAtEveryLook), "traits are consistent", "Traits makes a new value at every look" },
        { nameof(AnswersInOrder), "frames honour the traits", "of a protocol whose answers are in order" },
        { nameof(NoHeartbeats), "frames honour the traits", "a golden Ping of Downstream" },
        { nameof(ClientsHeartbeatsAlone), "frames honour the traits", "a golden Ping of Upstream" },
        { nameof(MethodsWithoutNames), "frames honour the traits", "has no name" },
        { nameof(SharedThoughItPins), "frames honour the traits", "of a protocol that is Shared" },
        { nameof(NoIds), "frames honour the traits", "no golden request or answer has an id" },
        { nameof(OneWayWithAnAnswer), "frames honour the traits", "one-way is True, but 1 replies are due" },
        { nameof(AnswersThatAreOneWay), "frames honour the traits", "is one-way" },
        { nameof(ServersThatAsk), "frames honour the traits", "a Request of Upstream" },
        { nameof(NoEditsOfMetadata), "metadata is set where the traits say so", "EditsMetadata is False" },
        { nameof(IdElsewhere), "a new id changes the id only", "where one frame was expected" },
        { nameof(MetadataInTheHead), "the head is true when it is told", "tenant is" },
    };

    private static CodecTraits True => PingPongCodec.Traits;

    [Theory]
    [MemberData(nameof(Lies))]
    public void Check_OfACodecThatLies_SaysWhy(string lie, string check, string words) =>
        Should.Throw<ConformanceException>(() => Kits[lie].Check(check)).Message.ShouldContain(words);

    /// <summary>A check that fails whatever the codec says would find every lie.</summary>
    [Fact]
    public void Checks_OfACodecThatDoesNotLie_Pass()
    {
        ICodecConformance kit = LyingKit.Of<Truth>();
        foreach (string check in Lies.Select(static row => (string)row[1]).Distinct())
        {
            kit.Check(check);
        }
    }

    private sealed class NameInUpperCase : ILie
    {
        public static CodecTraits Traits { get; } = True with { Name = "PingPong" };
    }

    private sealed class HeadOfAMegabyte : ILie
    {
        public static CodecTraits Traits { get; } = True with { MaxHead = 1 << 20 };
    }

    private sealed class KeyThatIsNotThere : ILie
    {
        public static CodecTraits Traits { get; } = True with { KeyMeta = 9 };
    }

    private sealed class KeyBehindTheBody : ILie
    {
        public static CodecTraits Traits { get; } = True with { KeyMeta = True.FindMeta("tenant") };
    }

    private sealed class ServiceThatIsNotThere : ILie
    {
        public static CodecTraits Traits { get; } = True with { ServiceMeta = 9 };
    }

    private sealed class MetadataTwice : ILie
    {
        public static CodecTraits Traits { get; } = True with { Meta = [.. True.Meta, True.Meta[0]] };
    }

    private sealed class MetadataInUpperCase : ILie
    {
        public static CodecTraits Traits { get; } = True with { Meta = [.. True.Meta.Select(static key => key with { Name = key.Name.ToUpperInvariant() })] };
    }

    private sealed class MethodsInUpperCase : ILie
    {
        public static CodecTraits Traits { get; } = True with { Methods = [.. True.Methods.Select(static name => name.ToUpperInvariant())] };
    }

    private sealed class NoBitsForIds : ILie
    {
        public static CodecTraits Traits { get; } = True with { IdBits = 0 };
    }

    private sealed class MoreBitsThanTheIdHas : ILie
    {
        public static CodecTraits Traits { get; } = True with { IdBits = 63 };
    }

    private sealed class IdOfThreeBytes : ILie
    {
        public static CodecTraits Traits { get; } = True with { IdBits = 24, Id = new FixedId(4, 3) };
    }

    private sealed class ReplyIdOfThreeBytes : ILie
    {
        public static CodecTraits Traits { get; } = True with { ReplyId = new FixedId(4, 3) };
    }

    private sealed class ReplyIdAlone : ILie
    {
        public static CodecTraits Traits { get; } = True with { Id = null, ReplyId = new FixedId(4, 4) };
    }

    private sealed class ReplyIdElsewhere : ILie
    {
        public static CodecTraits Traits { get; } = True with { ReplyId = new FixedId(8, 4) };
    }

    private sealed class KeepsWholeRequests : ILie
    {
        public static CodecTraits Traits { get; } = True with { ReplySeedBytes = CodecTraits.MostReplySeedBytes + 1 };
    }

    private sealed class NewTraitsAtEveryLook : ILie
    {
        public static CodecTraits Traits => True with { IdBits = True.IdBits };
    }

    private sealed class AnswersInOrder : ILie
    {
        public static CodecTraits Traits { get; } = True with { Order = FrameOrder.Fifo, Id = null };
    }

    private sealed class NoHeartbeats : ILie
    {
        public static CodecTraits Traits { get; } = True with { Heartbeats = Heartbeats.None };
    }

    private sealed class ClientsHeartbeatsAlone : ILie
    {
        public static CodecTraits Traits { get; } = True with { Heartbeats = Heartbeats.FromClient };
    }

    private sealed class MethodsWithoutNames : ILie
    {
        public static CodecTraits Traits { get; } = True with { Methods = [] };
    }

    private sealed class SharedThoughItPins : ILie
    {
        public static void Distort(Side from, ref FrameHead head) => head.Flags |= FrameFlags.Pin;
    }

    private sealed class NoIds : ILie
    {
        public static void Distort(Side from, ref FrameHead head) => head.Id = 0;
    }

    private sealed class OneWayWithAnAnswer : ILie
    {
        public static void Distort(Side from, ref FrameHead head) => head.Replies = 1;
    }

    private sealed class AnswersThatAreOneWay : ILie
    {
        public static void Distort(Side from, ref FrameHead head) => head.Flags |= from == Side.Upstream ? FrameFlags.OneWay : FrameFlags.None;
    }

    private sealed class ServersThatAsk : ILie
    {
        public static void Distort(Side from, ref FrameHead head) => (head.Kind, head.Replies) = from == Side.Upstream ? (FrameKind.Request, 1) : (head.Kind, head.Replies);
    }

    private sealed class NoEditsOfMetadata : ILie
    {
        public static CodecTraits Traits { get; } = True with { EditsMetadata = false };
    }

    private sealed class IdElsewhere : ILie
    {
        public static CodecTraits Traits { get; } = True with { Id = new FixedId(8, 4) };
    }

    private sealed class MetadataInTheHead : ILie
    {
        public static CodecTraits Traits { get; } = True with { Meta = [.. True.Meta.Select(static key => key with { Tier = MetaTier.FixedHead })] };
    }
}
