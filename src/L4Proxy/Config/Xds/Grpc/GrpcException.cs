namespace MeshL4.L4Proxy.Config.Xds.Grpc;

/// <summary>Status codes of gRPC that this client tells apart; the numbers are the protocol's.</summary>
internal enum GrpcStatus
{
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// <summary>A stream ended with a status other than OK, or could not be opened.</summary>
internal sealed class GrpcException(GrpcStatus status, string message, Exception? cause = null) : IOException($"{status}: {message}", cause)
{
    public GrpcStatus Status => status;
}
