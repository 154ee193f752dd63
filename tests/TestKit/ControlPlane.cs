using System.Text.Json.Nodes;

namespace MeshL4.TestKit;

/// <summary>The control plane of foreign make in tests/npm, driven over its standard input. Its end is the end of that input.</summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private readonly JsonProcess _process;

    private ControlPlane(JsonProcess process) => _process = process;

    /// <summary>The port it listens on.</summary>
    public int Port { get; private set; }

    /// <summary>Everything it met so far, in order.</summary>
    public IReadOnlyList<JsonNode> Events => _process.Events;

    /// <summary>The requests it got, of one type when given by the last part of its name.</summary>
    public IReadOnlyList<JsonNode> Requests(string type = "")
        => [.. Events.Where(e => (string?)e["event"] == "request" && ((string?)e["type_url"])!.EndsWith(type, StringComparison.Ordinal))];

    /// <summary>Reasons of all refusals so far.</summary>
    public IReadOnlyList<string> Refusals => [.. Requests().Select(r => (string?)r["error_detail"]?["message"]).OfType<string>()];

    /// <summary>Starts it and waits until it listens.</summary>
    /// <param name="address">Where: <c>127.0.0.1:port</c>, or <c>unix:/path</c>; by default a port that stays free for another one after this.</param>
    /// <param name="more">Further members of the command, such as key and cert for TLS.</param>
    /// <param name="ns">The network namespace it runs in; by default the one of the tests.</param>
    public static async Task<ControlPlane> StartAsync(string? address = null, JsonObject? more = null, string? ns = null)
    {
        string[] command = ["node", Executables.Script("tests/npm/control-plane.js")];
        var plane = new ControlPlane(JsonProcess.Start(null, ns is null ? command : ["ip", "netns", "exec", ns, .. command]));
        JsonObject listen = more ?? [];
        listen["do"] = "listen";
        listen["address"] = address ?? $"127.0.0.1:{FreePorts.Next()}";
        plane.Tell(listen);
        JsonNode listening = await plane.EventAsync(e => (string?)e["event"] == "listening", "it listens");
        plane.Port = (int)listening["port"]!;
        return plane;
    }

    /// <summary>Gives it a command.</summary>
    public void Tell(JsonNode command) => _process.Tell(command);

    /// <summary>Sets the resources of all types; what changed is pushed.</summary>
    public void Set(string version, params JsonNode[] resources)
        => Tell(new JsonObject { ["do"] = "set", ["version"] = version, ["resources"] = new JsonArray([.. resources.Select(r => r.DeepClone())]) });

    /// <summary>Sets the resources of all types, given in protobuf's own JSON.</summary>
    public void SetCanonical(string version, IEnumerable<JsonNode> resources) => Tell(Canonical("set", version, resources));

    /// <summary>Changes and removes resources of the world so far.</summary>
    /// <param name="version">The new version.</param>
    /// <param name="resources">In protobuf's own JSON; new, or in the place of those with their names.</param>
    /// <param name="removed">Type and name of each that goes.</param>
    public void Change(string version, IEnumerable<JsonNode> resources, params (string Type, string Name)[] removed)
    {
        JsonObject command = Canonical("change", version, resources);
        command["removed"] = new JsonArray([.. removed.Select(one => new JsonArray(one.Type, one.Name))]);
        Tell(command);
    }

    private static JsonObject Canonical(string verb, string version, IEnumerable<JsonNode> resources) => new()
    {
        ["do"] = verb, ["version"] = version, ["canonical"] = true, ["resources"] = new JsonArray([.. resources.Select(r => r.DeepClone())]),
    };

    /// <summary>Waits for an event.</summary>
    public Task<JsonNode> EventAsync(Func<JsonNode, bool> wanted, string what) => _process.EventAsync(wanted, what);

    /// <summary>Waits for a request of a type.</summary>
    public Task<JsonNode> RequestAsync(string type, Func<JsonNode, bool> wanted, string what)
        => EventAsync(e => (string?)e["event"] == "request" && ((string?)e["type_url"])!.EndsWith(type, StringComparison.Ordinal) && wanted(e), what);

    /// <summary>Its events and errors, for messages of failure.</summary>
    public string Said() => _process.Said();

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
