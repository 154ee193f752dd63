using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Tests;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit finds frames that are called what they are not, or written with more changed than what was asked: the sample's codec with one lie at a time.</summary>
public sealed class LyingWritesTests
{
    private const string Metadata = "metadata is set where the traits say so";
    private const string Key = "a key's prefix is removed";

    private static readonly Dictionary<string, ICodecConformance> Kits = new()
    {
        [nameof(OtherMethods)] = LyingKit.Of<OtherMethods>(),
        [nameof(MetadataOverThePayload)] = LyingKit.Of<MetadataOverThePayload>(),
        [nameof(MetadataOverOneByte)] = LyingKit.Of<MetadataOverOneByte>(),
        [nameof(MetadataOverOtherMetadata)] = LyingKit.Of<MetadataOverOtherMetadata>(),
        [nameof(MetadataOverFlags)] = LyingKit.Of<MetadataOverFlags>(),
        [nameof(NewMetadataOverThePayload)] = LyingKit.Of<NewMetadataOverThePayload>(),
        [nameof(MetadataOrId)] = LyingKit.Of<MetadataOrId>(),
        [nameof(MetadataOrKey)] = LyingKit.Of<MetadataOrKey>(),
        [nameof(MetadataIgnored)] = LyingKit.Of<MetadataIgnored>(),
        [nameof(KeyOverThePayload)] = LyingKit.Of<KeyOverThePayload>(),
        [nameof(RemovalIgnored)] = LyingKit.Of<RemovalIgnored>(),
        [nameof(MoreAtHead)] = LyingKit.Of<MoreAtHead>(),
        [nameof(OverTheServiceAtHead)] = LyingKit.Of<OverTheServiceAtHead>(),
        [nameof(Successes)] = LyingKit.Of<Successes>(),
    };

    public static TheoryData<string, string, string> Lies => new()
    {
        { nameof(OtherMethods), "golden frames are what they are", "pingpong, 'call' (D00B02620000000700000" },
        { nameof(OtherMethods), "golden frames are what they are", "): method notify, expected call" },
        { nameof(MetadataOverThePayload), Metadata, "'call, lane set to x in the first 29 bytes' (" },
        { nameof(MetadataOverThePayload), Metadata, "): with its own lane again it is " },
        { nameof(MetadataOverOneByte), Metadata, "'call, lane set to x in the first 29 bytes' (" },
        { nameof(MetadataOverOtherMetadata), Metadata, "): tenant is acm#, expected acme" },
        { nameof(MetadataOverFlags), Metadata, "): its head is Done Request Idempotent id 7" },
        { nameof(NewMetadataOverThePayload), Metadata, "'repeatable call, lane set to x in the first 33 bytes' (" },
        { nameof(NewMetadataOverThePayload), Metadata, "): what is behind the head changed" },
        { nameof(MetadataOrId), Metadata, "): with id 6 and 1 bytes of its key removed too it is " },
        { nameof(MetadataOrKey), Metadata, "): with id 6 and 1 bytes of its key removed too it is " },
        { nameof(MetadataIgnored), Metadata, "'call, service set to x in the first 29 bytes' (" },
        { nameof(MetadataIgnored), Metadata, "): it is what it was" },
        { nameof(KeyOverThePayload), Key, "'call, 1 bytes of its service removed in the first 29' (" },
        { nameof(KeyOverThePayload), Key, "): what is behind the head changed" },
        { nameof(RemovalIgnored), Metadata, "'call, service removed in the first 29 bytes' (" },
        { nameof(RemovalIgnored), Metadata, "): it is what it was: service is still there" },
        { nameof(MoreAtHead), Metadata, "pingpong, 'call, lane set to x in the first 20 bytes': Done behind 29 of 33 bytes" },
        { nameof(OverTheServiceAtHead), Metadata, "'call, lane set to x in the first 20 bytes' (" },
        { nameof(OverTheServiceAtHead), Metadata, "): service is echn, expected echo" },
        { nameof(Successes), "local replies parse", "'call' (" },
        { nameof(Successes), "local replies parse", "is a Response, where the protocol has errors" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Check_OfACodecThatLies_SaysWhatAndWhere(string lie, string check, string words) =>
        Should.Throw<ConformanceException>(() => Kits[lie].Check(check)).Message.ShouldContain(words);

    [Fact]
    public void Check_OfACodecThatDoesNotLie_Passes()
    {
        foreach (string check in LyingKit.Of<Truth>().Checks)
        {
            LyingKit.Of<Truth>().Check(check);
        }
    }

    /// <summary>What the author does not say cannot be held.</summary>
    [Fact]
    public void GoldenRequest_WithoutTheNameOfItsMethod_IsRefused()
    {
        CodecSample sample = PingPongSample.Value;
        var kit = new CodecConformance<PingPongCodec>(sample with { Frames = [.. sample.Frames.Select(static frame => frame with { Method = null })] });
        Should.Throw<ConformanceException>(() => kit.Check("golden frames are what they are")).Message.ShouldContain("its Method is not given; the codec says call");
    }

    /// <summary>Writes what is asked for, with another thing changed behind.</summary>
    private static bool Spoiled(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output, Action<byte[]> spoil)
    {
        var whole = new ArrayBufferWriter<byte>();
        bool written = codec.WriteEdited(frame, edit, whole);
        byte[] bytes = whole.WrittenSpan.ToArray();
        if (written)
        {
            spoil(bytes);
        }

        output.Write(bytes);
        return written;
    }

    private static void OverwritePayload(byte[] frame)
    {
        int tenant = (frame[PingPongFrame.TenantLengthAt] << 8) + frame[PingPongFrame.TenantLengthAt + 1];
        int payload = PingPongFrame.HeadLength + frame[PingPongFrame.ServiceLengthAt];
        frame.AsSpan(payload, Math.Max(0, frame.Length - tenant - payload)).Fill((byte)'#');
    }

    private static bool IsSet(in HeadEdit edit) => edit.Metadata is { Count: > 0 };

    private sealed class OtherMethods : ILie
    {
        public static void Distort(Side from, ref FrameHead head) => head.Method = (head.Kind, head.Replies) switch
        {
            (not FrameKind.Request, _) => 0,
            (_, 1) => 2,
            (_, 0) => 3,
            _ => 1,
        };
    }

    private sealed class MetadataOverThePayload : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, IsSet(edit) && frame.IsWhole ? OverwritePayload : static _ => { });
    }

    private sealed class MetadataOverOneByte : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, IsSet(edit) && frame.IsWhole ? static bytes => bytes[PingPongFrame.HeadLength + bytes[PingPongFrame.ServiceLengthAt]] = (byte)'#' : static _ => { });
    }

    private sealed class MetadataOverOtherMetadata : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, IsSet(edit) && frame.IsWhole ? static bytes => bytes[^1] = (byte)'#' : static _ => { });
    }

    private sealed class MetadataOverFlags : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, IsSet(edit) ? static bytes => bytes[PingPongFrame.FlagsAt] = PingPongFrame.Idempotent : static _ => { });
    }

    private sealed class NewMetadataOverThePayload : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, IsSet(edit) && frame.IsWhole && frame.Head.Id == 8 ? OverwritePayload : static _ => { });
    }

    private sealed class MetadataOrId : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            codec.WriteEdited(frame, edit.Id is null ? edit : edit with { Metadata = null }, output);
    }

    private sealed class MetadataOrKey : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            codec.WriteEdited(frame, IsSet(edit) ? edit with { RemoveKeyBytes = 0 } : edit, output);
    }

    private sealed class MetadataIgnored : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            codec.WriteEdited(frame, edit with { Metadata = null }, output);
    }

    private sealed class KeyOverThePayload : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, edit.RemoveKeyBytes > 0 ? OverwritePayload : static _ => { });
    }

    private sealed class RemovalIgnored : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            codec.WriteEdited(frame, IsSet(edit) && edit.Metadata![0].Value is null ? edit with { Metadata = null } : edit, output);
    }

    private sealed class MoreAtHead : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output)
        {
            bool written = codec.WriteEdited(frame, edit, output);
            if (written && IsSet(edit) && !frame.IsWhole)
            {
                output.Write("more"u8);
            }

            return written;
        }
    }

    private sealed class OverTheServiceAtHead : ILie
    {
        public static bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
            Spoiled(codec, frame, edit, output, IsSet(edit) && !frame.IsWhole ? static bytes => bytes[^1] ^= 1 : static _ => { });
    }

    private sealed class Successes : ILie
    {
        public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
        {
            if ((request.Flags & FrameFlags.OneWay) != 0 || request.Id == 0)
            {
                return false;
            }

            PingPongCodec.Write(output, PingPongKind.Result, (uint)request.Id, "", "fine"u8);
            return true;
        }
    }
}
