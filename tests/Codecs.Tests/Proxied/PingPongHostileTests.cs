using System.Buffers.Binary;
using System.Text.Json;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Hostile input where answers have ids: the entries that tests/EndToEnd.Tests has for Redis, as far as they are others here.</summary>
public sealed class PingPongHostileTests
{
    /// <summary>Line ends, escapes, quotes, NUL, what turns text round, what would end a JSON value.</summary>
    private static readonly string[] Names = ["echo\r\nforged", "\u001b[31mred", "\"quoted\" \\", "\0\u0007", "\u202e", "x\", \"forged\": \"y"];

    [Fact]
    public async Task Entry01_CorpusCutAnywhere_EndsItsConnectionOnly()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(loops: 1);
        PingPongConnection witness = mesh.Connect();
        byte[][] corpus = [.. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "corpus/pingpong.txt"))
            .Where(static line => line.Length > 0 && line[0] != '#').Select(static line => Convert.FromHexString(line.Split(' ')[1]))];
        corpus.Length.ShouldBeGreaterThan(2);
        await mesh.BesideAsync(witness, async () =>
        {
            int connections = 0;
            foreach ((byte[] bytes, int cut) in corpus.SelectMany(static bytes => Enumerable.Range(0, bytes.Length).Select(cut => (bytes, cut))))
            {
                await SayCutAsync(mesh.Connect(), bytes, cut);
                connections++;
            }

            await Patience.UntilAsync(() => mesh.Proxy.Records().Count == connections, "every connection ends", () => $"{mesh.Proxy.Records().Count} of {connections}: {mesh.Proxy.Said}");
        });
        (await mesh.Proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
    }

    [Fact]
    public async Task Entry02_DeclaredLengthsOfManyClients_TakeMemoryForWhatWasSentOnly()
    {
        const int Crowd = 100;
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {metadata: [{name: tenant, value: {exact: acme}}]}, forward: {cluster: other}}, {forward: {cluster: main}}", loops: 1);
        byte[] call = PingPongConnection.Bytes(Call(1, "echo", "xyz")).ToArray();
        BinaryPrimitives.WriteUInt32BigEndian(call.AsSpan(PingPongFrame.BodyLengthAt), 1_000_000_000);
        await mesh.BesideAsync(mesh.Connect(), async () =>
        {
            for (int i = 0; i < Crowd; i++)
            {
                await mesh.Connect().WriteAsync(call);
            }

            await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("meshl4.buffers_rented") >= Crowd, "all have sent their beginning", () => mesh.Proxy.Said);
            (await mesh.Proxy.StatAsync("meshl4.buffer_bytes_rented")).ShouldBeLessThan(Crowd * 16 * 1024);
        });
    }

    /// <summary>The service stands for the method of protocols that have one in words.</summary>
    [Fact]
    public async Task Entry15_ServicesWithControls_LeaveNoBytesInTheLogs()
    {
        using var folder = new TestFolder();
        string Log(string name, string format) =>
            $"{{name: {name}, typed_config: {{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: {folder.At(name)}, log_format: {{{format}}}}}}}";
        string text = Log("text", "text_format_source: {inline_string: \"%CONNECTION_TERMINATION_DETAILS%\\n\"}");
        string json = Log("json", "json_format: {details: '%CONNECTION_TERMINATION_DETAILS%'}");
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{name: r, forward: {cluster: main}}", $", policies: {{request_log: {{sampling: {{numerator: 100}}, access_log: [{text}, {json}]}}}}");
        PingPongConnection client = mesh.Connect();

        for (int i = 0; i < Names.Length; i++)
        {
            (await CallAsync(client, (uint)i + 1, Names[i], "x", Names[i])).Kind.ShouldBe(PingPongKind.Result);
        }

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 99, Names[0], "2"));
        (await Next(client)).Kind.ShouldBe(PingPongKind.Item);
        (await Next(client)).Kind.ShouldBe(PingPongKind.Item);
        (await Next(client)).Kind.ShouldBe(PingPongKind.End);

        string[] expected = [.. Enumerable.Repeat("pingpong_call route=r response", Names.Length), "pingpong_subscribe route=r response"];
        string[] Lines(string name) => File.Exists(folder.At(name)) ? File.ReadAllLines(folder.At(name)) : [];
        await Patience.UntilAsync(() => Lines("text").Length == expected.Length && Lines("json").Length == expected.Length, "a line a request", () => string.Join('\n', Lines("text")));
        Lines("text").ShouldBe(expected);
        Lines("json").Select(static line => JsonDocument.Parse(line).RootElement.GetProperty("details").GetString()).ShouldBe(expected);
        mesh.Proxy.Said.ShouldNotContain("forged");
    }

    [Fact]
    public async Task Entry16_MadeUpServices_MakeNoMetric()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "MADEUP0")).Kind.ShouldBe(PingPongKind.Result);
        int before = (await mesh.Proxy.PageAsync("/stats")).Split('\n').Length;

        for (uint batch = 1; batch < 2000; batch += 100)
        {
            await client.WriteAsync([.. Enumerable.Range(0, 100).Select(i => Call(batch + (uint)i, $"MADEUP{batch}X{i}", "", $"MADEUP{batch}X{i}"))]);
            for (int i = 0; i < 100; i++)
            {
                (await Next(client)).Kind.ShouldBe(PingPongKind.Result);
            }
        }

        string after = await mesh.Proxy.PageAsync("/stats");
        (after.Split('\n').Length - before).ShouldBeLessThan(5);
        after.ShouldNotContain("MADEUP", Case.Insensitive);
    }

    private static async Task SayCutAsync(PingPongConnection client, byte[] bytes, int cut)
    {
        try
        {
            await client.WriteAsync(bytes.AsMemory(0, cut));
            await Task.Yield();
            await client.WriteAsync(bytes.AsMemory(cut));
            client.EndWriting();
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            // The proxy has ended it already: its record says so.
        }
    }

    private sealed class TestFolder : IDisposable
    {
        private readonly string _path = Directory.CreateTempSubdirectory("meshl4-test-").FullName;

        public string At(string name) => Path.Combine(_path, name);

        public void Dispose() => Directory.Delete(_path, recursive: true);
    }
}
