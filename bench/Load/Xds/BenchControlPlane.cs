using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Net;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.Load.Measuring;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MeshL4.Load.Xds;

/// <summary>
/// A control plane that speaks delta ADS over plain HTTP/2 to one client: the first request of a type is answered with the response
/// prepared for it, further responses are sent when told. It knows when each was written and when its acknowledgement came.
/// </summary>
internal sealed class BenchControlPlane : IAsyncDisposable
{
    private const int HeaderBytes = 5;

    private readonly WebApplication _application;
    private readonly Dictionary<string, PreparedResponse> _first;
    private readonly HashSet<string> _answered = [];
    private readonly ConcurrentDictionary<string, Sent> _sent = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private PipeWriter? _stream;
    private volatile string? _refusal;

    private BenchControlPlane(WebApplication application, IEnumerable<PreparedResponse> first)
        => (_application, _first) = (application, first.ToDictionary(static one => one.TypeUrl));

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address { get; private set; } = new(IPAddress.Loopback, 0);

    /// <summary>Starts it.</summary>
    public static async Task<BenchControlPlane> StartAsync(params PreparedResponse[] first)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxResponseBufferSize = null;
            kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http2);
        });
        var plane = new BenchControlPlane(builder.Build(), first);
        plane._application.Run(plane.ServeAsync);
        await plane._application.StartAsync();
        string url = plane._application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        plane.Address = new IPEndPoint(IPAddress.Loopback, new Uri(url).Port);
        return plane;
    }

    /// <summary>When the response was begun to be written, in <see cref="Stopwatch"/> ticks; waits for it.</summary>
    /// <exception cref="VoidRunException">It was not asked for in time.</exception>
    public Task<long> WrittenAsync(string nonce, CancellationToken stop) => Within(SentOf(nonce).Written.Task, $"'{nonce}' was not asked for", stop);

    /// <summary>When its acknowledgement came; waits for it.</summary>
    /// <exception cref="VoidRunException">It did not come in time, or was a refusal.</exception>
    public Task<long> AcknowledgedAsync(string nonce, CancellationToken stop) => Within(SentOf(nonce).Acknowledged.Task, $"'{nonce}' was not acknowledged", stop);

    /// <summary>Sends a response and returns, when it is acknowledged, the milliseconds from its writing on.</summary>
    public async Task<double> SendAsync(PreparedResponse response, CancellationToken stop)
    {
        _sent[response.Nonce] = new Sent();
        await WriteAsync(response);
        long acknowledged = await AcknowledgedAsync(response.Nonce, stop);
        return Stopwatch.GetElapsedTime(await WrittenAsync(response.Nonce, stop), acknowledged).TotalMilliseconds;
    }

    /// <summary>Sends a response and waits for nothing.</summary>
    public async Task WriteAsync(PreparedResponse response)
    {
        await _writing.WaitAsync();
        try
        {
            SentOf(response.Nonce).Written.TrySetResult(Stopwatch.GetTimestamp());
            await (_stream ?? throw new VoidRunException("the proxy has no stream to the control plane")).WriteAsync(response.Frame);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await _application.StopAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // The stream that is open is ended with the process of the proxy.
        }

        await _application.DisposeAsync();
    }

    private Sent SentOf(string nonce) => _sent.GetOrAdd(nonce, static _ => new Sent());

    private async Task<long> Within(Task<long> event_, string complaint, CancellationToken stop)
    {
        try
        {
            return await event_.WaitAsync(TimeSpan.FromSeconds(60), stop);
        }
        catch (TimeoutException)
        {
            throw new VoidRunException($"{complaint} within 60 s{(_refusal is null ? "" : $"; refused: {_refusal}")}");
        }
    }

    private async Task ServeAsync(HttpContext http)
    {
        http.Response.ContentType = "application/grpc";
        await http.Response.StartAsync();
        _stream = http.Response.BodyWriter;
        PipeReader requests = http.Request.BodyReader;
        while (!http.RequestAborted.IsCancellationRequested)
        {
            ReadResult read = await requests.ReadAsync();
            ReadOnlySequence<byte> rest = read.Buffer;
            while (TryTake(ref rest, out ReadOnlySequence<byte> message))
            {
                await TakeAsync(DeltaDiscoveryRequest.Parser.ParseFrom(message));
            }

            requests.AdvanceTo(rest.Start, rest.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    private static bool TryTake(ref ReadOnlySequence<byte> rest, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (rest.Length < HeaderBytes)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[HeaderBytes];
        rest.Slice(0, HeaderBytes).CopyTo(header);
        long length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (rest.Length < HeaderBytes + length)
        {
            return false;
        }

        message = rest.Slice(HeaderBytes, length);
        rest = rest.Slice(HeaderBytes + length);
        return true;
    }

    private async Task TakeAsync(DeltaDiscoveryRequest request)
    {
        if (request.ErrorDetail is { } error)
        {
            _refusal = error.Message;
        }
        else if (request.ResponseNonce.Length > 0)
        {
            SentOf(request.ResponseNonce).Acknowledged.TrySetResult(Stopwatch.GetTimestamp());
        }

        if (request.ResponseNonce.Length == 0 && _answered.Add(request.TypeUrl) && _first.TryGetValue(request.TypeUrl, out PreparedResponse? first))
        {
            await WriteAsync(first);
        }
    }

    private sealed class Sent
    {
        public TaskCompletionSource<long> Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<long> Acknowledged { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
