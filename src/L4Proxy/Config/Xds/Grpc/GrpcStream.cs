using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace MeshL4.L4Proxy.Config.Xds.Grpc;

/// <summary>
/// One bidirectional stream on a connection of its own: messages out, messages in, until either side ends it. One reader and one
/// writer may work at the same time.
/// </summary>
internal sealed class GrpcStream : IDiscoveryTransport
{
    /// <summary>Longest message taken, in bytes.</summary>
    public const int MaxMessageBytes = Decoding.ConfigMessageReader.MaxBytes;

    private readonly DuplexContent _content = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly HttpMessageInvoker _http;
    private readonly Task<HttpResponseMessage> _response;
    private readonly int _maxMessage;
    private Stream? _body;
    private string? _encoding;

    /// <summary>Begins to connect and returns at once; a failure is met by the first read or write.</summary>
    /// <param name="target">The server.</param>
    /// <param name="method">Path of the method, <c>/package.Service/Method</c>.</param>
    /// <param name="maxMessage">Longest message taken, in bytes.</param>
    public GrpcStream(GrpcTarget target, string method, int maxMessage = MaxMessageBytes)
    {
        _maxMessage = maxMessage;
        _http = new HttpMessageInvoker(Handler(target));
        _response = SendAsync(Request(target, method));
    }

    public async Task WriteAsync(IMessage message, CancellationToken cancellation)
    {
        try
        {
            Stream body = await _content.Opened.WaitAsync(cancellation).ConfigureAwait(false);
            await body.WriteAsync(GrpcFrames.Encode(message), cancellation).ConfigureAwait(false);
            await body.FlushAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception failure) when (Translate(failure) is { } known)
        {
            throw known;
        }
    }

    /// <summary>The next message; null when the server ended the stream with status OK.</summary>
    /// <exception cref="GrpcException">It ended otherwise, or could not be opened.</exception>
    public async ValueTask<byte[]?> ReadAsync(CancellationToken cancellation)
    {
        try
        {
            HttpResponseMessage response = await _response.WaitAsync(cancellation).ConfigureAwait(false);
            _body ??= await OpenAsync(response, cancellation).ConfigureAwait(false);
            byte[]? message = await GrpcFrames.ReadAsync(_body, _encoding, _maxMessage, cancellation).ConfigureAwait(false);
            if (message is null)
            {
                ThrowUnlessOk(response.TrailingHeaders, missing: GrpcStatus.Unknown);
            }

            return message;
        }
        catch (Exception failure) when (Translate(failure) is { } known)
        {
            throw known;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _content.Complete();
        await _stop.CancelAsync().ConfigureAwait(false);
        _http.Dispose();
        _content.Dispose();
    }

    private static SocketsHttpHandler Handler(GrpcTarget target)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(20),
            KeepAlivePingDelay = target.PingAfter,
            KeepAlivePingTimeout = target.PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            ConnectCallback = (_, cancellation) => target.Connect(cancellation),
        };
        if (target.Tls is { } tls)
        {
            handler.SslOptions = tls();
        }

        return handler;
    }

    private static Uri Address(GrpcTarget target, string method) => new($"{(target.Tls is null ? "http" : "https")}://xds{method}");

    private HttpRequestMessage Request(GrpcTarget target, string method)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, Address(target, method))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = _content,
        };
        request.Headers.TryAddWithoutValidation("Host", target.Authority);
        request.Headers.TryAddWithoutValidation("te", "trailers");
        request.Headers.TryAddWithoutValidation("grpc-accept-encoding", "identity,gzip");
        request.Headers.TryAddWithoutValidation("user-agent", "meshl4-proxy");
        _content.Headers.TryAddWithoutValidation("content-type", "application/grpc");
        foreach ((string name, string value) in target.Metadata())
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request)
    {
        try
        {
            return await _http.SendAsync(request, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            _content.Abandon(failure);
            throw;
        }
    }

    private async Task<Stream> OpenAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new GrpcException(GrpcStatus.Unavailable, $"HTTP status {(int)response.StatusCode}");
        }

        // Trailers-only: the status stands among the headers.
        if (response.Headers.Contains("grpc-status"))
        {
            ThrowUnlessOk(response.Headers, missing: GrpcStatus.Unknown);
        }

        string type = response.Content.Headers.ContentType?.MediaType ?? "";
        if (!type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase))
        {
            throw new GrpcException(GrpcStatus.Unknown, $"the content type '{type}' is not gRPC");
        }

        _encoding = Value(response.Headers, "grpc-encoding");
        return await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
    }

    private static void ThrowUnlessOk(HttpResponseHeaders headers, GrpcStatus missing)
    {
        string? text = Value(headers, "grpc-status");
        GrpcStatus status = int.TryParse(text, out int number) ? (GrpcStatus)number : missing;
        if (status != GrpcStatus.Ok)
        {
            string message = Uri.UnescapeDataString(Value(headers, "grpc-message") ?? (text is null ? "the stream ended without a status" : ""));
            throw new GrpcException(status, message);
        }
    }

    private static string? Value(HttpHeaders headers, string name)
        => headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;

    /// <summary>What the layers below throw, as one kind; null for what is not theirs.</summary>
    private static GrpcException? Translate(Exception failure) => failure switch
    {
        GrpcException => null,
        HttpRequestException or IOException or InvalidOperationException => new GrpcException(GrpcStatus.Unavailable, Reason(failure), failure),
        TaskCanceledException { InnerException: TimeoutException } => new GrpcException(GrpcStatus.Unavailable, "timed out connecting", failure),
        _ => null,
    };

    private static string Reason(Exception failure)
        => failure.InnerException is { } inner && inner.Message != failure.Message ? $"{failure.Message} {Reason(inner)}" : failure.Message;
}
