using Google.Protobuf;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>One open stream to a control plane. One reader and one writer may work at the same time.</summary>
internal interface IDiscoveryTransport : IAsyncDisposable
{
    /// <summary>Sends one request.</summary>
    /// <exception cref="Grpc.GrpcException">The stream is gone.</exception>
    Task WriteAsync(IMessage message, CancellationToken cancellation);

    /// <summary>The bytes of the next response; null when the server ended the stream in good order.</summary>
    /// <exception cref="Grpc.GrpcException">It ended otherwise.</exception>
    ValueTask<byte[]?> ReadAsync(CancellationToken cancellation);
}
