using System.IO.Compression;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Xds.Grpc;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

public sealed class GrpcFramesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Messages_InPiecesOfAnySize_ComeBackWhole(int piece)
    {
        var message = new DiscoveryResponse { VersionInfo = new string('v', 70_000), Nonce = "n" };
        byte[] frame = GrpcFrames.Encode(message);
        using var body = new Pieces([.. frame, .. frame], piece);
        for (int i = 0; i < 2; i++)
        {
            byte[]? read = await GrpcFrames.ReadAsync(body, null, 1 << 20, default);
            DiscoveryResponse.Parser.ParseFrom(read).ShouldBe(message);
        }

        (await GrpcFrames.ReadAsync(body, null, 1 << 20, default)).ShouldBeNull();
    }

    [Fact]
    public async Task DeclaredLength_AboveTheLimit_EndsTheStream()
        => (await FailureAsync([0, 0x7f, 0xff, 0xff, 0xff])).Status.ShouldBe(GrpcStatus.ResourceExhausted);

    [Fact]
    public async Task DeclaredLength_WithoutBytes_AllocatesNothingOfIt()
    {
        using var body = new Pieces([0, 0x03, 0, 0, 0, 1, 2, 3], 100);
        GrpcException failure = await Should.ThrowAsync<GrpcException>(async () => await GrpcFrames.ReadAsync(body, null, 64 << 20, default));
        failure.Message.ShouldContain("breaks off after 3");
        body.LargestBuffer.ShouldBeLessThanOrEqualTo(64 * 1024, "of 48 MB declared");
    }

    [Theory]
    [InlineData(new byte[] { 2, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 0, 0, 0 })]
    [InlineData(new byte[] { 1, 0, 0, 0, 3, 9, 9, 9 })]
    public async Task Nonsense_IsAnErrorOfTheStream(byte[] bytes)
        => (await FailureAsync(bytes)).Status.ShouldBe(GrpcStatus.Internal);

    [Fact]
    public async Task GzipMessage_IsUnpacked_AndABombIsNot()
    {
        byte[] small = await GrpcFrames.ReadAsync(Gzip(new byte[500]), "gzip", 1000, default) ?? [];
        small.Length.ShouldBe(500);
        GrpcException bomb = await Should.ThrowAsync<GrpcException>(async () => await GrpcFrames.ReadAsync(Gzip(new byte[1 << 20]), "gzip", 100_000, default));
        bomb.Status.ShouldBe(GrpcStatus.ResourceExhausted);
        (await Should.ThrowAsync<GrpcException>(async () => await GrpcFrames.ReadAsync(Gzip(new byte[5]), "snappy", 1000, default))).Message.ShouldContain("snappy");
    }

    private static MemoryStream Gzip(byte[] plain)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(plain);
        }

        byte[] bytes = packed.ToArray();
        return new MemoryStream([1, (byte)(bytes.Length >> 24), (byte)(bytes.Length >> 16), (byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes]);
    }

    private static Task<GrpcException> FailureAsync(byte[] bytes)
        => Should.ThrowAsync<GrpcException>(async () => await GrpcFrames.ReadAsync(new MemoryStream(bytes), "gzip", 1000, default));

    /// <summary>A stream that gives at most so many bytes at a time.</summary>
    private sealed class Pieces(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public int LargestBuffer { get; private set; }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            LargestBuffer = Math.Max(LargestBuffer, buffer.Length);
            return base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
        }
    }
}
