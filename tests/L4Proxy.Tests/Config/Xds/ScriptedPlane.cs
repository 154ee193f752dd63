using System.Threading.Channels;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.L4Proxy.Config.Xds.Grpc;
using MeshL4.TestKit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A control plane in memory: every stream a client opens is one the test reads from and writes to.</summary>
internal sealed class ScriptedPlane
{
    private readonly Channel<Stream> _opened = Channel.CreateUnbounded<Stream>();

    public DiscoveryServer Server(string name = "plane") => new(name, _ =>
    {
        var stream = new Stream(name);
        _opened.Writer.TryWrite(stream);
        return stream;
    });

    /// <summary>The next stream opened.</summary>
    public async Task<Stream> OpenedAsync() => await _opened.Reader.ReadAsync().AsTask().WaitAsync(Patience.Limit);

    internal sealed class Stream(string server) : IDiscoveryTransport
    {
        private readonly Channel<IMessage> _requests = Channel.CreateUnbounded<IMessage>();
        private readonly Channel<byte[]> _responses = Channel.CreateUnbounded<byte[]>();

        public string Server => server;

        /// <summary>The next request of the client.</summary>
        public async Task<T> RequestAsync<T>() => (T)await _requests.Reader.ReadAsync().AsTask().WaitAsync(Patience.Limit);

        /// <summary>Whether no request is waiting.</summary>
        public bool IsQuiet => _requests.Reader.Count == 0;

        public void Respond(IMessage response) => _responses.Writer.TryWrite(response.ToByteArray());

        public void Respond(byte[] bytes) => _responses.Writer.TryWrite(bytes);

        public void End() => _responses.Writer.TryComplete();

        public void Fail(string reason) => _responses.Writer.TryComplete(new GrpcException(GrpcStatus.Unavailable, reason));

        /// <summary>Whether the server does not read what is sent from now on.</summary>
        public bool IsUnread { get; set; }

        /// <summary>Why nothing can be sent from now on.</summary>
        public string? WriteFails { get; set; }

        /// <summary>Whether something could not be sent for that reason.</summary>
        public bool IsBroken { get; private set; }

        public async Task WriteAsync(IMessage message, CancellationToken cancellation)
        {
            if (WriteFails is { } reason)
            {
                IsBroken = true;
                throw new GrpcException(GrpcStatus.Unavailable, reason);
            }

            if (IsUnread)
            {
                await Task.Delay(Timeout.Infinite, cancellation);
            }

            await _requests.Writer.WriteAsync(message.Clone(), cancellation);
        }

        public async ValueTask<byte[]?> ReadAsync(CancellationToken cancellation)
            => await _responses.Reader.WaitToReadAsync(cancellation) && _responses.Reader.TryRead(out byte[]? bytes) ? bytes : null;

        /// <summary>Whether the client has left it.</summary>
        public bool IsDisposed { get; private set; }

        public ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return ValueTask.CompletedTask;
        }
    }
}

file static class Messages
{
    public static IMessage Clone(this IMessage message) => message.Descriptor.Parser.ParseFrom(message.ToByteString());
}
