using BenchmarkDotNet.Attributes;
using MeshL4.Micro.Operations;

namespace MeshL4.Micro;

/// <summary>What choosing a filter chain costs a connection.</summary>
[MemoryDiagnoser]
public class ChainMatchBenchmarks
{
    private readonly ChainMatchOperations _operations = new();

    /// <summary>See <see cref="ChainMatchOperations.ByPortAndProtocol"/>.</summary>
    [Benchmark]
    public int ByPortAndProtocol() => _operations.ByPortAndProtocol();

    /// <summary>See <see cref="ChainMatchOperations.ByServerName"/>.</summary>
    [Benchmark]
    public int ByServerName() => _operations.ByServerName();
}
