using System.Net.Security;

namespace MeshL4.L4Proxy.Config.Xds.Grpc;

/// <summary>How one server is reached. Everything that may change on disk is asked for at each connect.</summary>
internal sealed record GrpcTarget
{
    /// <summary>What logs and metrics call the server.</summary>
    public required string Name { get; init; }

    /// <summary>The <c>:authority</c> of requests.</summary>
    public required string Authority { get; init; }

    /// <summary>Opens the byte stream below HTTP/2 and TLS.</summary>
    public required Func<CancellationToken, ValueTask<Stream>> Connect { get; init; }

    /// <summary>TLS settings; a null function means plaintext with prior knowledge of HTTP/2.</summary>
    public Func<SslClientAuthenticationOptions>? Tls { get; init; }

    /// <summary>After so long without a frame the server is pinged.</summary>
    public TimeSpan PingAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A server that leaves a ping unanswered for so long is gone.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Headers of each stream: initial metadata and the bearer token as it is now.</summary>
    public Func<IEnumerable<KeyValuePair<string, string>>> Metadata { get; init; } = static () => [];
}
