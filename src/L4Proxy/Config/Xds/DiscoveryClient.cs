using System.Threading.Channels;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Xds.Grpc;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Keeps one stream to a control plane: connects, subscribes, hands responses on, answers them, and comes back when the stream ends.
/// All requests pass one queue and one writer, so that a server that does not read never keeps responses from being read.
/// </summary>
internal sealed class DiscoveryClient(DiscoveryClientOptions options, IUpdateReceiver receiver, ILogger log)
{
    /// <summary>Responses read ahead of the one being applied.</summary>
    private const int ReadAhead = 2;

    /// <summary>
    /// Requests that wait for a server that does not read; behind them the stream is ended. What the transport holds comes on top: such a
    /// server has left a thousand acknowledgements or so unread.
    /// </summary>
    public const int MostWaiting = 256;

    private readonly RetryDelay _retry = new(options.Random);
    private readonly SilenceLimit _silence = new(options.Silence, options.Time);
    private readonly SpoiltStream _spoilt = new(options.Time);
    private DiscoveryServer _server = options.Servers[0];
    private volatile Channel<byte[]?>? _events;
    private bool _nodeTold;
    private bool _answered;
    private readonly Dictionary<string, string> _toldFailures = new(StringComparer.Ordinal);

    /// <summary>Its subscriptions in the order in which they are sent.</summary>
    public IReadOnlyList<Subscription> Subscriptions => options.Subscriptions;

    /// <summary>Whose resources come over it.</summary>
    public string Source => options.Source;

    public DiscoveryMetrics Metrics => options.Metrics;

    /// <summary>The subscription of a type, or null when this stream does not carry it.</summary>
    public Subscription? Find(string typeUrl) => options.Subscriptions.FirstOrDefault(subscription => subscription.TypeUrl == typeUrl);

    /// <summary>Whether its server answers now, if anything of a type is wanted of it.</summary>
    public bool IsHeard(string typeUrl) => Find(typeUrl) is not { Wanted.IsNothing: false } || Metrics.IsConnected;

    /// <summary>Whether nothing is wanted of it.</summary>
    public bool IsIdle => options.Subscriptions.All(static one => one.Wanted.IsNothing);

    /// <summary>Whether its server answers now, if anything is wanted of it.</summary>
    public bool IsHeard() => options.Subscriptions.All(one => IsHeard(one.TypeUrl));

    /// <summary>Looks again at what is wanted. Any thread.</summary>
    public void Wake() => _events?.Writer.TryWrite(null); // A full queue is looked at afterwards anyway.

    /// <summary>Runs until stopped; it never fails.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        for (int server = 0; !stop.IsCancellationRequested; server = After(server))
        {
            _answered = false;
            _server = options.Servers[server];
            Ending ending = await ConnectAsync(_server, stop).ConfigureAwait(false);
            options.Metrics.Disconnected();
            if (!stop.IsCancellationRequested)
            {
                Tell(_server, ending);
                await options.Delay(_retry.Next(), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>The preferred server follows one that answered; else the next one.</summary>
    private int After(int server)
    {
        if (_answered)
        {
            return 0;
        }

        int next = (server + 1) % options.Servers.Count;
        if (next == 0)
        {
            _silence.NextRound();
        }

        return next;
    }

    private async Task<Ending> ConnectAsync(DiscoveryServer server, CancellationToken stop)
    {
        options.Metrics.Attempt();
        try
        {
            IDiscoveryTransport transport = server.Open(options.Method);
            await using (transport.ConfigureAwait(false))
            {
                await ConverseAsync(transport, stop).ConfigureAwait(false);
            }

            return Ended("the server ended the stream");
        }
        catch (ResponseFault fault)
        {
            _spoilt.Spoil();
            options.Metrics.NotTaken();
            return new Ending(fault.Message, fault.InnerException);
        }
        catch (Exception failure) when (failure is GrpcException or UnreadRequests)
        {
            return Ended(failure.Message);
        }
#pragma warning disable CA1031 // A defect met with one stream must not end the following of the control plane.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            return Ended(stop.IsCancellationRequested ? "stopped" : $"{failure.GetType().Name}: {failure.Message}");
        }
    }

    /// <summary>A stream ended otherwise than at a response that cannot be taken: if it was answered, the next failure starts from the beginning.</summary>
    private Ending Ended(string reason)
    {
        if (_answered)
        {
            _spoilt.Recover();
            BeginAnew();
        }

        return new Ending(reason, null);
    }

    private async Task ConverseAsync(IDiscoveryTransport transport, CancellationToken stop)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var requests = Channel.CreateBounded<IMessage>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
        var events = Channel.CreateBounded<byte[]?>(ReadAhead);
        Task reading = ReadAllAsync(transport, events.Writer, over.Token);
        Task writing = WriteAllAsync(transport, requests, events.Writer, over.Token);
        _events = events;
        _nodeTold = false;
        try
        {
            foreach (Subscription subscription in options.Subscriptions)
            {
                subscription.StartStream();
                subscription.ForgetExpired();
            }

            Synchronise(requests.Writer);
            while (await events.Reader.WaitToReadAsync(stop).ConfigureAwait(false))
            {
                while (events.Reader.TryRead(out byte[]? response))
                {
                    Process(response, requests.Writer);
                    Synchronise(requests.Writer);
                }
            }
        }
        finally
        {
            _events = null;
            _silence.End();
            _spoilt.End();
            await over.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(reading, writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task ReadAllAsync(IDiscoveryTransport transport, ChannelWriter<byte[]?> events, CancellationToken over)
    {
        try
        {
            while (await transport.ReadAsync(over).ConfigureAwait(false) is { } response)
            {
                await events.WriteAsync(response, over).ConfigureAwait(false);
            }

            events.TryComplete();
        }
#pragma warning disable CA1031 // Whatever it is, it ends the stream, and the reader of the queue meets it.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            events.TryComplete(failure);
        }
    }

    private static async Task WriteAllAsync(
        IDiscoveryTransport transport, Channel<IMessage> requests, ChannelWriter<byte[]?> events, CancellationToken over)
    {
        try
        {
            await foreach (IMessage request in requests.Reader.ReadAllAsync(over).ConfigureAwait(false))
            {
                await transport.WriteAsync(request, over).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The stream is over.
        }
#pragma warning disable CA1031 // As for reading.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            // Nobody takes requests any more. The reading side usually learns the server's own reason: it goes first.
            requests.Writer.TryComplete();
            await Task.Delay(TimeSpan.FromSeconds(1), over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            events.TryComplete(failure);
        }
    }

    /// <summary>Applies a response and queues its answer; null bytes only wake.</summary>
    private void Process(byte[]? response, ChannelWriter<IMessage> requests)
    {
        if (_spoilt.TryRecover())
        {
            BeginAnew();
            TellAnswer();
        }

        if (response is null)
        {
            return;
        }

        try
        {
            Take(response, requests);
        }
        catch (InvalidProtocolBufferException nonsense)
        {
            throw new ResponseFault($"a response cannot be read: {nonsense.Message}", nonsense);
        }
#pragma warning disable CA1031 // A defect met with one update: it must not end the following of the control plane, nor be met again at once.
        catch (Exception defect) when (defect is not UnreadRequests)
#pragma warning restore CA1031
        {
            throw new ResponseFault($"a response cannot be taken: {defect.GetType().Name}: {defect.Message}", defect);
        }
    }

    private void Take(byte[] response, ChannelWriter<IMessage> requests)
    {
        DiscoveryUpdate update = options.Variant.Read(response, Find);
        if (Find(update.TypeUrl) is not { Requested: true } subscription)
        {
            log.LogWarning("{Stream}: a response of type '{Type}', which was not asked for, is left out", options.Name, update.TypeUrl);
            options.Metrics.NotAskedFor();
            return;
        }

        NoteAnswer(update);
        subscription.ForgetExpired();
        Received received = receiver.Receive(update, subscription);
        options.Variant.Note(subscription, update, received.Reasons is null, received.Held);
        options.Metrics.Updated(update, received.Reasons);
        subscription.Nonce = update.Nonce;
        if (update.Nonce.Length > 0)
        {
            Send(requests, options.Variant.Answer(subscription, Node(), update.Nonce, received.Reasons));
        }
        else
        {
            // To a server an answer without a nonce is a new subscription: it would send the same again, for ever.
            log.LogWarning("{Stream}: a response without a nonce cannot be acknowledged", options.Name);
        }
    }

    /// <summary>
    /// A server that sends and never reads would have the requests to it grow without a bound. Where writing has failed, the stream is about
    /// to end for that reason, and the request is left out.
    /// </summary>
    private static void Send(ChannelWriter<IMessage> requests, IMessage request)
    {
        while (!requests.TryWrite(request))
        {
            Task<bool> room = requests.WaitToWriteAsync().AsTask();
            if (!room.IsCompleted)
            {
                throw new UnreadRequests();
            }

            if (!room.Result)
            {
                return;
            }
        }
    }

    private void NoteAnswer(DiscoveryUpdate update)
    {
        options.Metrics.Connected(update.ControlPlane);
        bool first = !_answered;
        _answered = true;
        _silence.Answered(_server);
        _spoilt.Answered(Wake);
        if (_spoilt.IsSpoilt)
        {
            return; // What spoilt the stream before may still come.
        }

        BeginAnew();
        if (first)
        {
            TellAnswer();
        }
    }

    /// <summary>The next failure is the first of its spell.</summary>
    private void BeginAnew()
    {
        _toldFailures.Clear();
        _retry.Reset();
    }

    private void TellAnswer()
    {
        string identifier = options.Metrics.Identifier;
        log.LogInformation("{Stream}: the control plane answers{Identifier}", options.Name, identifier.Length > 0 ? ": " + identifier : "");
    }

    private void Synchronise(ChannelWriter<IMessage> requests)
    {
        foreach (Subscription subscription in options.Subscriptions)
        {
            bool first = !subscription.Requested;
            while (options.Variant.Subscribe(subscription, Node(peek: true)) is { } request)
            {
                Node();
                LimitSilence();
                Send(requests, request);
                if (first)
                {
                    options.Metrics.Attempt(subscription.TypeUrl);
                    first = false;
                }
            }
        }
    }

    /// <summary>A server that takes requests and says nothing is left for the next, unless it may have nothing to say.</summary>
    private void LimitSilence()
    {
        bool tellsVersions = options.Subscriptions.Any(static subscription => subscription.HoldsVersions);
        if (!_answered && !_silence.MayBeSilent(_server, tellsVersions) && _events is { } events)
        {
            _silence.Begin(reason => events.Writer.TryComplete(new GrpcException(GrpcStatus.Unavailable, reason)));
        }
    }

    /// <summary>The node as the next request has it: each time, or with the first request of a stream alone.</summary>
    private Node? Node(bool peek = false)
    {
        bool leaveOut = _nodeTold && options.NodeOnFirstMessageOnly;
        _nodeTold |= !peek;
        return leaveOut ? null : options.Node;
    }

    /// <summary>One line for a spell of equal failures of a server.</summary>
    private void Tell(DiscoveryServer server, Ending ending)
    {
        if (_toldFailures.GetValueOrDefault(server.Name) == ending.Reason)
        {
            return;
        }

        _toldFailures[server.Name] = ending.Reason;
        if (ending.Defect is null)
        {
            log.LogWarning("{Stream}: no control plane at {Server}, the running configuration stays: {Reason}", options.Name, server.Name, ending.Reason);
        }
        else
        {
            log.LogError(
                ending.Defect, "{Stream}: {Server} is asked again, the running configuration stays: {Reason}", options.Name, server.Name, ending.Reason);
        }
    }

    /// <summary>How a stream ended.</summary>
    /// <param name="Reason">For the log.</param>
    /// <param name="Defect">What happened at a response that cannot be taken; null for another reason.</param>
    private readonly record struct Ending(string Reason, Exception? Defect);

    /// <summary>The server sends and does not read.</summary>
    private sealed class UnreadRequests() : Exception($"the server does not read: {MostWaiting} requests wait for it");

    /// <summary>A response cannot be read, or met a defect of ours.</summary>
    private sealed class ResponseFault(string message, Exception cause) : Exception(message, cause);
}
