using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using MeshL4.L4Proxy.Sockets;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sockets;

public sealed class SocketPipeTests : IAsyncLifetime
{
    private readonly LoopFixture _fixture = new();
    private SocketPair _pair = null!;
    private SocketPipe _pipe = null!;

    public async Task InitializeAsync()
    {
        _pair = await SocketPair.OpenAsync(_fixture);
        _pipe = await _fixture.OnAsync(() => new SocketPipe(_pair.Near));
    }

    public async Task DisposeAsync()
    {
        await _fixture.OnAsync(() => _pipe.Close(reset: false));
        (await _fixture.HeldAsync()).ShouldBe(0);
        _pair.Dispose();
        _fixture.Dispose();
    }

    [Fact]
    public async Task ReadAsync_BytesArrive_CompletesOnTheLoop()
    {
        Task<(EventLoop? Loop, long Length)> read = _fixture.RunAsync(async () =>
        {
            ReadResult result = await _pipe.Input.ReadAsync();
            long length = result.Buffer.Length;
            _pipe.Input.AdvanceTo(result.Buffer.End);
            return (EventLoop.Current, length);
        });
        (await _fixture.HeldAsync()).ShouldBe(0);
        await _pair.Far.SendAsync(new byte[10]);
        (await read).ShouldBe((_fixture.Loop, 10));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Echo_RandomChunksBothWays_BytesAreEqual(int seed)
    {
        byte[] sent = SocketPair.Noise(600_000);
        Task<int> echo = _fixture.RunAsync(() => EchoAsync(new Random(seed)));
        Task<byte[]> received = _pair.ReadToEndAsync();
        var random = new Random(-seed);
        for (int at = 0; at < sent.Length;)
        {
            int count = Math.Min(random.Next(1, 30_000), sent.Length - at);
            at += await _pair.Far.SendAsync(sent.AsMemory(at, count));
        }

        _pair.Far.Shutdown(SocketShutdown.Send);
        (await received).AsSpan().SequenceEqual(sent).ShouldBeTrue();
        await echo;
    }

    [Fact]
    public async Task ReadAsync_NothingExamined_ReturnsTheSameBytesAtOnce()
    {
        await _pair.Far.SendAsync(new byte[] { 1, 2, 3 });
        byte[] again = await _fixture.RunAsync(async () =>
        {
            ReadResult result = await _pipe.Input.ReadAsync();
            _pipe.Input.AdvanceTo(result.Buffer.GetPosition(1), result.Buffer.GetPosition(1));
            _pipe.Input.TryRead(out result).ShouldBeTrue();
            byte[] rest = result.Buffer.ToArray();
            _pipe.Input.AdvanceTo(result.Buffer.End);
            return rest;
        });
        again.ShouldBe([2, 3]);
    }

    [Fact]
    public async Task ReadAsync_ManyBytesExaminedNotConsumed_GrowsAcrossSegments()
    {
        byte[] sent = SocketPair.Noise(100_000);
        Task send = _pair.SendAllAndEndAsync(sent);
        (byte[] Bytes, bool Single) got = await _fixture.RunAsync(async () =>
        {
            ReadResult result = await _pipe.Input.ReadAsync();
            while (!result.IsCompleted)
            {
                _pipe.Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                result = await _pipe.Input.ReadAsync();
            }

            (byte[], bool) all = (result.Buffer.ToArray(), result.Buffer.IsSingleSegment);
            _pipe.Input.AdvanceTo(result.Buffer.End);
            return all;
        });
        await send;
        got.Single.ShouldBeFalse();
        got.Bytes.AsSpan().SequenceEqual(sent).ShouldBeTrue();
        (await _fixture.HeldAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task ReadAsync_PeerResets_ThrowsReset()
    {
        Task<ReadResult> read = _fixture.RunAsync(async () => await _pipe.Input.ReadAsync());
        _pair.ResetFar();
        await Should.ThrowAsync<SocketResetException>(read);
    }

    [Fact]
    public async Task ReadAsync_PeerEnds_CompletesAndTheOtherWayStillWorks()
    {
        _pair.Far.Shutdown(SocketShutdown.Send);
        bool ended = await _fixture.RunAsync(async () =>
        {
            ReadResult result = await _pipe.Input.ReadAsync();
            await _pipe.Output.WriteAsync(new byte[] { 7 });
            _pipe.Output.Complete();
            return result.IsCompleted && result.Buffer.IsEmpty;
        });
        ended.ShouldBeTrue();
        (await _pair.ReadToEndAsync()).ShouldBe([7]);
    }

    [Fact]
    public async Task CancelPendingRead_Waiting_ReturnsCanceled()
    {
        Task<bool> read = _fixture.RunAsync(async () => (await _pipe.Input.ReadAsync()).IsCanceled);
        await _fixture.OnAsync(_pipe.Input.CancelPendingRead);
        (await read).ShouldBeTrue();
    }

    [Fact]
    public async Task WriteAsync_PeerDoesNotRead_WaitsAndThenDeliversEverything()
    {
        byte[] sent = SocketPair.Noise(16 * 1024 * 1024);
        Task<bool> write = _fixture.RunAsync(async () =>
        {
            bool canceled = (await _pipe.Output.WriteAsync(sent)).IsCanceled;
            _pipe.Output.Complete();
            return canceled;
        });
        await _fixture.UntilAsync(() => !_pair.Near.Writable, "the kernel's buffers are full");
        write.IsCompleted.ShouldBeFalse();
        byte[] received = await _pair.ReadToEndAsync();
        received.AsSpan().SequenceEqual(sent).ShouldBeTrue();
        (await write).ShouldBeFalse();
    }

    [Fact]
    public async Task CancelPendingFlush_WaitingWrite_KeepsTheRestForTheNext()
    {
        byte[] sent = SocketPair.Noise(16 * 1024 * 1024);
        byte[] lent = [.. sent];
        Task<bool> write = _fixture.RunAsync(async () =>
        {
            bool canceled = (await _pipe.Output.WriteAsync(lent)).IsCanceled;
            lent.AsSpan().Clear();
            await _pipe.Output.WriteAsync(new byte[] { 1, 2, 3 });
            _pipe.Output.Complete();
            return canceled;
        });
        await _fixture.UntilAsync(() => !_pair.Near.Writable, "the kernel's buffers are full");
        await _fixture.OnAsync(_pipe.Output.CancelPendingFlush);
        byte[] received = await _pair.ReadToEndAsync();
        byte[] expected = [.. sent, 1, 2, 3];
        received.AsSpan().SequenceEqual(expected).ShouldBeTrue();
        (await write).ShouldBeTrue();
    }

    [Fact]
    public async Task Complete_BytesTheKernelDoesNotTake_ResetsInsteadOfATornStream()
    {
        await _fixture.OnAsync(() =>
        {
            Memory<byte> memory = _pipe.Output.GetMemory(16 * 1024 * 1024);
            _pipe.Output.Advance(memory.Length);
            _pipe.Output.Complete();
        });
        await Should.ThrowAsync<SocketException>(_pair.ReadToEndAsync());
    }

    [Fact]
    public async Task Complete_OutputWithException_WakesTheReaderWithAReset()
    {
        Task<ReadResult> read = _fixture.RunAsync(async () => await _pipe.Input.ReadAsync());
        await _fixture.OnAsync(() => _pipe.Output.Complete(new IOException("given up")));
        await Should.ThrowAsync<SocketResetException>(read);
        await Should.ThrowAsync<SocketException>(_pair.ReadToEndAsync());
    }

    [Fact]
    public async Task Read_ReaderStops_PeersWriterStops()
    {
        _pair.Far.Blocking = false;
        byte[] block = new byte[64 * 1024];
        long taken = 0;
        SocketError error = SocketError.Success;
        while (error == SocketError.Success && taken < 1L << 30)
        {
            taken += _pair.Far.Send(block, SocketFlags.None, out error);
        }

        error.ShouldBe(SocketError.WouldBlock);
        (await _fixture.HeldAsync()).ShouldBe(0);
    }

    private async Task<int> EchoAsync(Random random)
    {
        int rounds = 0;
        while (true)
        {
            ReadResult read = await _pipe.Input.ReadAsync();
            if (read.IsCompleted && read.Buffer.IsEmpty)
            {
                _pipe.Output.Complete();
                return rounds;
            }

            long take = Math.Min(read.Buffer.Length, random.Next(1, 50_000));
            ReadOnlySequence<byte> part = read.Buffer.Slice(0, take);
            foreach (ReadOnlyMemory<byte> segment in part)
            {
                await SendAsync(segment, viaBuffer: random.Next(2) == 0);
            }

            _pipe.Input.AdvanceTo(part.End, random.Next(2) == 0 ? part.End : read.Buffer.End);
            rounds++;
        }
    }

    private async Task SendAsync(ReadOnlyMemory<byte> bytes, bool viaBuffer)
    {
        if (viaBuffer)
        {
            bytes.CopyTo(_pipe.Output.GetMemory(bytes.Length));
            _pipe.Output.Advance(bytes.Length);
            await _pipe.Output.FlushAsync();
        }
        else
        {
            await _pipe.Output.WriteAsync(bytes);
        }
    }
}
