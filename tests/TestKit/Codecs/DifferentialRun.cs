using System.Net;
using System.Net.Sockets;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>
/// The same requests with and without a proxy: every byte of every answer is the same. In order, answers are compared as they came; with
/// ids, those of each request as they came. Both exchanges are held to the codec's traits. What answers nothing is left out: pings, pushes.
/// </summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public static class DifferentialRun<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>
    /// Sends all requests at once on one connection to each address, and compares what comes back. Behind the last answer sending is shut down: the
    /// other side has to end the connection then, and no answer more may come before.
    /// </summary>
    /// <param name="direct">A server.</param>
    /// <param name="proxied">A proxy before that server, or before an equal one where requests change what it holds.</param>
    /// <param name="requests">Frames as a client sends them. With ids, no id twice.</param>
    /// <param name="limit">How long each exchange may take.</param>
    /// <returns>How many answers there were, parts of streams counted each.</returns>
    /// <exception cref="ConformanceException">They differ, an answer is missing, or an exchange breaks the codec's traits.</exception>
    public static async Task<int> CheckAsync(IPEndPoint direct, IPEndPoint proxied, IReadOnlyList<byte[]> requests, TimeSpan limit)
    {
        byte[] sent = [.. requests.SelectMany(static request => request)];
        IReadOnlyList<Answer> expected = Split(await ExchangeAsync(direct, sent, limit));
        IReadOnlyList<Answer> actual = Split(await ExchangeAsync(proxied, sent, limit));
        for (int i = 0; i < Math.Max(expected.Count, actual.Count); i++)
        {
            (Answer? without, Answer? with) = (expected.ElementAtOrDefault(i), actual.ElementAtOrDefault(i));
            ConformanceException.Unless(
                without is not null && with is not null && without.Bytes.AsSpan().SequenceEqual(with.Bytes),
                () => $"{TCodec.Traits.Name}: answer {i + 1} of {expected.Count} is {Show(without)} without the proxy, {Show(with)} with it");
        }

        return expected.Count;
    }

    private static async Task<byte[]> ExchangeAsync(IPEndPoint to, byte[] requests, TimeSpan limit)
    {
        var observer = new ExchangeObserver<TCodec>();
        observer.Sent(requests);
        using var stop = new CancellationTokenSource(limit);
        using var client = new TcpClient { NoDelay = true };
        var received = new MemoryStream();
        try
        {
            await client.ConnectAsync(to, stop.Token);
            NetworkStream stream = client.GetStream();
            Task sending = stream.WriteAsync(requests, stop.Token).AsTask();
            byte[] buffer = new byte[64 * 1024];
            while (observer.InFlight > 0)
            {
                int count = await stream.ReadAsync(buffer, stop.Token);
                ConformanceException.Unless(count > 0, () => $"{TCodec.Traits.Name}: {to} ended the connection with {observer.InFlight} answers due");
                observer.Received(buffer.AsSpan(0, count));
                received.Write(buffer, 0, count);
            }

            await sending;
            await ReadOnAsync(client.Client, stream, buffer, observer, received, stop.Token);
            return received.ToArray();
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            throw new ConformanceException($"{TCodec.Traits.Name}: {observer.InFlight} answers of {to} are due: {e.Message}", e);
        }
    }

    /// <summary>What comes behind the last answer, up to the end, however the other side makes it: an answer more is one that nobody asked for.</summary>
    private static async Task ReadOnAsync(
        Socket client, NetworkStream stream, byte[] buffer, ExchangeObserver<TCodec> observer, MemoryStream received, CancellationToken stop)
    {
        try
        {
            client.Shutdown(SocketShutdown.Send);
            while (await stream.ReadAsync(buffer, stop) is var count and > 0)
            {
                observer.Received(buffer.AsSpan(0, count));
                received.Write(buffer, 0, count);
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // A reset.
        }
        catch (OperationCanceledException e)
        {
            throw new ConformanceException($"{TCodec.Traits.Name}: the connection did not end behind the last answer and the client's end", e);
        }
    }

    /// <summary>The answers among the frames, those of one request beside one another.</summary>
    private static IReadOnlyList<Answer> Split(byte[] received)
    {
        TCodec codec = TCodec.Start(Side.Upstream, CodecLimits.Default);
        var head = default(FrameHead);
        List<Answer> answers = [];
        int at = 0;
        for (; at < received.Length && codec.Scan(received.AsSpan(at), ref head, out int consumed) == ScanStatus.Done; at += consumed)
        {
            if (head.Kind is FrameKind.Response or FrameKind.ErrorResponse or FrameKind.StreamData or FrameKind.StreamEnd)
            {
                answers.Add(new Answer(head.Id, received[at..(at + consumed)]));
            }
        }

        ConformanceException.Unless(at == received.Length, () => $"{TCodec.Traits.Name}: the connection ended inside a frame: {ConformanceException.Show(received[at..])}");
        return TCodec.Traits.Order == FrameOrder.Multiplexed ? [.. answers.OrderBy(static answer => answer.Id)] : answers;
    }

    private static string Show(Answer? answer) => answer is null ? "nothing" : $"{ConformanceException.Show(answer.Bytes)} (id {answer.Id})";

    private sealed record Answer(ulong Id, byte[] Bytes);
}
