using BenchmarkDotNet.Attributes;
using MeshL4.Micro.Operations;

namespace MeshL4.Micro;

/// <summary>What sniffing TLS costs a connection.</summary>
[MemoryDiagnoser]
public class ClientHelloBenchmarks
{
    private readonly ClientHelloOperations _operations = new();

    /// <summary>See <see cref="ClientHelloOperations.Parse"/>.</summary>
    [Benchmark]
    public int Parse() => _operations.Parse();
}
