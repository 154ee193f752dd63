using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>
/// Looks at both directions of one connection and holds them to the codec's traits: in order there are never more answers than
/// requests; multiplexed every answer belongs to a request in flight; a one-way request is never answered.
/// </summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public sealed class ExchangeObserver<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly Dictionary<ulong, FrameHead> _inFlight = [];
    private readonly HashSet<ulong> _oneWay = [];
    private readonly HashSet<ulong> _pings = [];
    private TCodec _requests = TCodec.Start(Side.Downstream, CodecLimits.Default);
    private TCodec _replies = TCodec.Start(Side.Upstream, CodecLimits.Default);
    private FrameHead _request;
    private FrameHead _reply;
    private long _due;

    /// <summary>Answers seen, parts of streams included.</summary>
    public int Answers { get; private set; }

    /// <summary>Requests that wait for their answer.</summary>
    public long InFlight => TCodec.Traits.Order == FrameOrder.Multiplexed ? _inFlight.Count : _due;

    /// <summary>The client sent these bytes.</summary>
    public void Sent(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            ScanStatus status = _requests.Scan(bytes, ref _request, out int consumed);
            bytes = bytes[consumed..];
            Require(status != ScanStatus.Bad, "the client sent what is no frame");
            if (status == ScanStatus.Done)
            {
                OnRequest();
            }
        }
    }

    /// <summary>The client got these bytes.</summary>
    public void Received(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            ScanStatus status = _replies.Scan(bytes, ref _reply, out int consumed);
            bytes = bytes[consumed..];
            Require(status != ScanStatus.Bad, "the client got what is no frame");
            if (status == ScanStatus.Done)
            {
                OnReply();
            }
        }
    }

    private void OnRequest()
    {
        switch (_request.Kind)
        {
            case FrameKind.Ping:
                _pings.Add(_request.Id);
                break;
            case FrameKind.Request or FrameKind.StreamOpen when (_request.Flags & FrameFlags.OneWay) != 0:
                _oneWay.Add(_request.Id);
                break;
            case FrameKind.Request or FrameKind.StreamOpen:
                _due += Math.Max(1, _request.Replies);
                Require(TCodec.Traits.Order != FrameOrder.Multiplexed || _inFlight.TryAdd(_request.Id, _request), $"id {_request.Id} was used again while in flight");
                break;
        }
    }

    private void OnReply()
    {
        bool isAnswer = _reply.Kind is FrameKind.Response or FrameKind.ErrorResponse or FrameKind.StreamData or FrameKind.StreamEnd;
        if (_reply.Kind == FrameKind.Pong)
        {
            Require(_pings.Remove(_reply.Id), $"a Pong with id {_reply.Id} that answers no Ping");
        }
        else if (isAnswer && TCodec.Traits.Order == FrameOrder.Multiplexed)
        {
            Answers++;
            Require(_inFlight.TryGetValue(_reply.Id, out FrameHead request), $"an answer with id {_reply.Id} to {(_oneWay.Contains(_reply.Id) ? "a one-way request" : "no request in flight")}");
            Require(_reply.Kind is not (FrameKind.StreamData or FrameKind.StreamEnd) || request.Replies == FrameHead.UntilEnd, $"a stream answers request {_reply.Id}, which asked for one answer");
            if (_reply.Kind != FrameKind.StreamData)
            {
                _inFlight.Remove(_reply.Id);
            }
        }
        else if (isAnswer)
        {
            Answers++;
            Require(--_due >= 0, "more answers than requests");
        }
    }

    private static void Require(bool holds, string message) => ConformanceException.Unless(holds, () => $"{TCodec.Traits.Name}: {message}");
}
