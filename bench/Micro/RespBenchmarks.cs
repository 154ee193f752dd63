using BenchmarkDotNet.Attributes;
using MeshL4.Micro.Operations;

namespace MeshL4.Micro;

/// <summary>What the RESP codec costs a command: requests are scanned for command and key, replies for their end.</summary>
[MemoryDiagnoser]
public class RespBenchmarks
{
    private readonly RespOperations _operations = new();

    /// <summary>See <see cref="RespOperations.RequestGet"/>.</summary>
    [Benchmark(Baseline = true)]
    public int RequestGet() => _operations.RequestGet();

    /// <summary>See <see cref="RespOperations.RequestSet"/>.</summary>
    [Benchmark]
    public int RequestSet() => _operations.RequestSet();

    /// <summary>See <see cref="RespOperations.RequestPipelineOf16"/>.</summary>
    [Benchmark]
    public int RequestPipelineOf16() => _operations.RequestPipelineOf16();

    /// <summary>See <see cref="RespOperations.RequestGetByteByByte"/>.</summary>
    [Benchmark]
    public int RequestGetByteByByte() => _operations.RequestGetByteByByte();

    /// <summary>See <see cref="RespOperations.ReplyValue"/>.</summary>
    [Benchmark]
    public int ReplyValue() => _operations.ReplyValue();

    /// <summary>See <see cref="RespOperations.ReplyPipelineOf16"/>.</summary>
    [Benchmark]
    public int ReplyPipelineOf16() => _operations.ReplyPipelineOf16();
}
