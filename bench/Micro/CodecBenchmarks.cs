using BenchmarkDotNet.Attributes;
using MeshL4.Micro.Operations;

namespace MeshL4.Micro;

/// <summary>Nanoseconds a frame of every codec, by the contract the runtime uses.</summary>
[MemoryDiagnoser]
public class CodecBenchmarks
{
    private readonly CodecOperations _operations = new();

    /// <summary>See <see cref="CodecOperations.RedisGet"/>.</summary>
    [Benchmark(Baseline = true)]
    public int RedisGet() => _operations.RedisGet();

    /// <summary>See <see cref="CodecOperations.PingPongCall"/>.</summary>
    [Benchmark]
    public int PingPongCall() => _operations.PingPongCall();

    /// <summary>See <see cref="CodecOperations.PingPongEdit"/>.</summary>
    [Benchmark]
    public int PingPongEdit() => _operations.PingPongEdit();
}
