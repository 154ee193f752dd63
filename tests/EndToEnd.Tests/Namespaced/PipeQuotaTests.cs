using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// An unprivileged user has memory for about 1,024 pipes. Two thousand bulk connections at once, stalled with their bytes
/// in flight, use them up: the rest is copied, and every byte arrives.
/// </summary>
[Collection(Alone.Name)]
public class PipeQuotaTests
{
    private const int Connections = 2_000;
    private const int Port = 7000;
    private const int BytesEach = 512 * 1024;

    // The proxy sees that a connection is bulk only when it has flowed for a while.
    private const int ReadAtOnce = 256 * 1024;

    // A gigabyte by way of small buffers: half a minute of two processors that have nothing else to do.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task BulkConnections_BeyondThePipesOfAnUnprivilegedUser_AreCopiedAndWhole()
    {
        using Pod pod = new();
        // Small socket buffers in this namespace, so that the bytes wait in the proxy.
        pod.Exec("sysctl", "-qw", "net.ipv4.tcp_wmem=4096 16384 32768", "net.ipv4.tcp_rmem=4096 65536 131072");
        using Socket listener = Pod.In(pod.Name, Listen);
        Boot boot = new Boot().Listen("bulk", Port, Boot.Chain(Boot.Tcp("sink")))
            .With(Boot.Cluster("sink", [$"127.0.0.1:{((IPEndPoint)listener.LocalEndPoint!).Port}"],
                ", circuit_breakers: {thresholds: [{max_connections: 100000, max_pending_requests: 100000}]}"));
        // Eight loops want eight pipes of 1 MiB each before anything else: the whole of the user's share.
        using Sidecar proxy = Sidecar.Start(boot, pod.Name, concurrency: 8);
        using var limit = new CancellationTokenSource(Limit);

        var allArrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task serving = ServeAsync(listener, allArrived.Task, limit.Token);
        List<Socket> clients = Pod.In(pod.Name, () => Enumerable.Range(0, Connections).Select(_ => Connect()).ToList());
        try
        {
            Task<bool>[] answers = [.. clients.Select((client, i) => SendAsync(client, i, limit.Token))];
            Wait.Until(() => proxy.Stat("meshl4.splice_pipes_refused") > 0, () => "no pipe was refused\n" + proxy.Get("/stats"), 120);
            proxy.Stat("meshl4.splice_pipes_rented").ShouldBeGreaterThan(0);
            allArrived.SetResult();
            (await Task.WhenAll(answers)).Count(static whole => whole).ShouldBe(Connections);
            await serving;
        }
        finally
        {
            clients.ForEach(static c => c.Dispose());
        }

        Wait.Until(() => proxy.Stat("meshl4.downstream_connections") == 0 && proxy.Stat("meshl4.splice_pipes_lent") == 0, () => proxy.Get("/stats"));
        proxy.Stat("meshl4.loop_faults").ShouldBe(0);
    }

    private static Socket Listen()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(4096);
        return socket;
    }

    private static Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, Port);
        return socket;
    }

    /// <summary>Takes every connection, reads a first part, waits to be told to go on, and answers each with the hash of what it sent.</summary>
    private static async Task ServeAsync(Socket listener, Task go, CancellationToken end)
    {
        List<Task> all = [];
        for (int i = 0; i < Connections; i++)
        {
            all.Add(AnswerAsync(await listener.AcceptAsync(end), go, end));
        }

        await Task.WhenAll(all);
    }

    private static async Task AnswerAsync(Socket socket, Task go, CancellationToken end)
    {
        using Socket connection = socket;
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[64 * 1024];
        int total = 0;
        for (int count; (count = await connection.ReceiveAsync(buffer, end)) > 0;)
        {
            hash.AppendData(buffer, 0, count);
            total += count;
            if (total >= ReadAtOnce)
            {
                await go.WaitAsync(end);
            }
        }

        await connection.SendAsync(hash.GetHashAndReset(), end);
        connection.Shutdown(SocketShutdown.Send);
    }

    /// <summary>True when the answer is the hash of what was sent.</summary>
    private static async Task<bool> SendAsync(Socket client, int seed, CancellationToken end)
    {
        byte[] bytes = new byte[BytesEach];
        new Random(seed).NextBytes(bytes);
        byte[] hash = SHA256.HashData(bytes);
        for (int sent = 0; sent < bytes.Length;)
        {
            sent += await client.SendAsync(bytes.AsMemory(sent), end);
        }

        client.Shutdown(SocketShutdown.Send);
        byte[] answer = new byte[64];
        int length = 0;
        for (int count; (count = await client.ReceiveAsync(answer.AsMemory(length), end)) > 0;)
        {
            length += count;
        }

        return answer.AsSpan(0, length).SequenceEqual(hash);
    }
}
