using System.Diagnostics;
using System.Globalization;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>What a frame costs its codec.</summary>
/// <param name="Frame">Its name in the sample.</param>
/// <param name="Length">Bytes of it.</param>
/// <param name="Nanoseconds">To scan it and to read its key: the best of many batches, which others on the machine disturbed least.</param>
/// <param name="Allocated">Managed bytes each time, over all batches.</param>
public sealed record FrameCost(string Frame, int Length, double Nanoseconds, double Allocated)
{
    /// <summary>10^9 bytes a second.</summary>
    public double GigabytesPerSecond => Length / Nanoseconds;

    /// <inheritdoc/>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Frame,-32} {Length,6} B {Nanoseconds,10:0.0} ns {GigabytesPerSecond,8:0.00} GB/s {Allocated,6:0.##} B allocated");
}

/// <summary>
/// Times a codec on its golden frames. Compile for Release; a figure of Debug says nothing. For comparisons over time, BenchmarkDotNet with
/// <see cref="FrameOperations{TCodec}"/> is the better tool: this one has no statistics.
/// </summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public static class CodecBenchmark<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private const int Batch = 1000;

    // However slow the machine: what the process allocates once is no byte a frame then.
    private const int LeastBatches = 20;

    // Enough calls for the runtime to want the code compiled for good, and moments for it to do so.
    private const int WarmUps = 10;
    private static readonly TimeSpan Compiling = TimeSpan.FromMilliseconds(50);

    /// <summary>Measures every golden frame.</summary>
    /// <param name="sample">The frames.</param>
    /// <param name="each">How long each is repeated.</param>
    /// <returns>One row a frame, in the sample's order.</returns>
    public static IReadOnlyList<FrameCost> Run(CodecSample sample, TimeSpan each)
    {
        for (int round = 0; round < WarmUps; round++)
        {
            foreach (GoldenFrame frame in sample.Frames)
            {
                Repeat(new FrameOperations<TCodec>(frame.From, frame.Bytes), Batch);
            }

            Thread.Sleep(Compiling);
        }

        return [.. sample.Frames.Select(frame => Measure(frame, each))];
    }

    private static FrameCost Measure(GoldenFrame frame, TimeSpan each)
    {
        var operations = new FrameOperations<TCodec>(frame.From, frame.Bytes);
        Repeat(operations, Batch);
        long begun = Stopwatch.GetTimestamp();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        double best = double.PositiveInfinity;
        long frames = 0;
        while (frames < LeastBatches * Batch || Stopwatch.GetElapsedTime(begun) < each)
        {
            long before = Stopwatch.GetTimestamp();
            Repeat(operations, Batch);
            best = Math.Min(best, Stopwatch.GetElapsedTime(before).TotalNanoseconds / Batch);
            frames += Batch;
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        return new FrameCost(frame.Name, frame.Bytes.Length, best, (double)allocated / frames);
    }

    private static void Repeat(FrameOperations<TCodec> operations, int times)
    {
        long taken = 0;
        for (int i = 0; i < times; i++)
        {
            taken += operations.ScanWithKey();
        }

        ConformanceException.Unless(taken > 0, static () => $"{TCodec.Traits.Name}: scanning takes no byte");
    }
}
