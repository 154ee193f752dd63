using System.Net;

namespace MeshL4.L4Proxy.Config.Xds.Grpc;

/// <summary>A request body that is written bit by bit for as long as the stream lives: it hands its stream out and waits.</summary>
internal sealed class DuplexContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The body, as soon as the request's headers are sent. Fails when the request does.</summary>
    public Task<Stream> Opened => _opened.Task;

    /// <summary>Ends the body: half-close.</summary>
    public void Complete() => _ended.TrySetResult();

    /// <summary>The request failed: whoever waits for the body must not wait for ever.</summary>
    public void Abandon(Exception cause)
    {
        _opened.TrySetException(cause);
        _ended.TrySetResult();

        // Nobody may be waiting; the failure is told by the response as well.
        _ = _opened.Task.Exception;
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        _opened.TrySetResult(stream);
        await _ended.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
