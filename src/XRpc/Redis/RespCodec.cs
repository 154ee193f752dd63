using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>Redis as the common contract sees it: requests and replies by structure, in order.</summary>
public struct RespCodec : IXRpcCodec<RespCodec>
{
    private readonly Side _from;
    private RespRequestScanner _requests;
    private RespRequestHead _request;
    private RespReplyScanner _replies;

    private RespCodec(Side from)
    {
        _from = from;
        _requests = new RespRequestScanner(RespLimitsOptions.Default);
        _replies = new RespReplyScanner(RespLimitsOptions.Default);
    }

    /// <inheritdoc/>
    public static CodecTraits Traits { get; } = new("redis", FrameOrder.Fifo, Side.Downstream);

    /// <inheritdoc/>
    public static RespCodec Start(Side from) => new(from);

    /// <inheritdoc/>
    public static string Describe(int fault) => RespFaults.Describe((RespFault)fault);

    /// <inheritdoc/>
    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        if (_from == Side.Upstream)
        {
            return _replies.Scan(input, ref head, out consumed);
        }

        ScanStatus status = _requests.Scan(input, ref _request, out consumed);
        head.Length = _request.Length;
        head.Method = (int)_request.Command;
        head.Fault = (int)_request.Fault;
        head.Kind = status == ScanStatus.Done && _request.ArgumentCount == 0 && !_request.IsInline ? FrameKind.Empty : FrameKind.Request;
        return status;
    }
}
