using System.Text.Json.Nodes;
using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Peers that speak gRPC with libraries that are not ours: a server that echoes with its name, and clients that ask a control plane.</summary>
internal sealed class GrpcPeer : IAsyncDisposable
{
    private readonly JsonProcess _process;
    private readonly string? _folder;

    private GrpcPeer(JsonProcess process, string? folder = null) => (_process, _folder) = (process, folder);

    /// <summary>The port a server listens on.</summary>
    public int Port { get; private set; }

    /// <summary>A server of npm @grpc/grpc-js.</summary>
    public static async Task<GrpcPeer> ServerAsync(string name)
    {
        var peer = new GrpcPeer(JsonProcess.Start(null, "node", Executables.Script("tests/npm/grpc-backend.js"), name));
        JsonNode listening = await peer._process.EventAsync(e => (string?)e["event"] == "listening", $"{name} listens");
        peer.Port = (int)listening["port"]!;
        return peer;
    }

    /// <summary>A client whose targets are resolved by a control plane.</summary>
    /// <param name="library"><c>grpc-js-xds</c> (npm) or <c>python3-grpcio</c> (Debian; the C core).</param>
    /// <param name="plane">The control plane.</param>
    public static GrpcPeer Client(string library, ControlPlane plane)
    {
        string folder = Directory.CreateTempSubdirectory("meshl4-grpc-").FullName;
        string bootstrap = Path.Combine(folder, "bootstrap.json");
        File.WriteAllText(bootstrap, new JsonObject
        {
            ["xds_servers"] = new JsonArray(new JsonObject
            {
                ["server_uri"] = $"127.0.0.1:{plane.Port}", ["channel_creds"] = new JsonArray(new JsonObject { ["type"] = "insecure" }),
                ["server_features"] = new JsonArray("xds_v3"),
            }),
            ["node"] = new JsonObject { ["id"] = library, ["cluster"] = "strangers", ["locality"] = new JsonObject { ["region"] = "r", ["zone"] = "z" } },
        }.ToJsonString());
        return new GrpcPeer(Start(library, new Dictionary<string, string> { ["GRPC_XDS_BOOTSTRAP"] = bootstrap }), folder);
    }

    /// <summary>The C core as a carrier of messages over one stream.</summary>
    public static JsonProcess Carrier() => Start("python3-grpcio", null);

    /// <summary>Calls <paramref name="target"/>; the answer, or <c>code: details</c> of the failure.</summary>
    public async Task<string> CallAsync(string target)
    {
        int before = _process.Events.Count;
        _process.Tell(new JsonObject { ["do"] = "call", ["target"] = target, ["text"] = "x" });
        await Patience.UntilAsync(() => _process.Events.Count > before, "the call ends", _process.Said);
        JsonNode end = _process.Events[before];
        return (string?)end["text"] ?? $"{end["code"]}: {end["details"]}";
    }

    /// <summary>Calls until that is the answer.</summary>
    public async Task AnswersAsync(string target, string answer, ControlPlane plane)
    {
        string last = "";
        await Patience.UntilAsync(async () => (last = await CallAsync(target)) == answer, $"{target} answers '{answer}'", () => $"{last}\n{plane.Said()}");
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        if (_folder is not null)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    // Debian's own interpreter: its packages are not seen by others on the path.
    private static JsonProcess Start(string library, IReadOnlyDictionary<string, string>? environment) => library == "grpc-js-xds"
        ? JsonProcess.Start(environment, "node", Executables.Script("tests/npm/xds-client.js"))
        : JsonProcess.Start(environment, "/usr/bin/python3", Path.Combine(Executables.Root, "tests/python/grpc_client.py"));
}
