using System.Text.Json.Nodes;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Messages that a control plane does not know, as it sends them: a <c>TypedStruct</c> whose fields are spelled out, as grpc-js writes it.</summary>
internal static class TypedStructs
{
    /// <summary>A message inside an <c>Any</c>.</summary>
    /// <param name="type">Full name of the message.</param>
    /// <param name="json">Its fields.</param>
    public static JsonObject Of(string type, string json) => new()
    {
        ["@type"] = "type.googleapis.com/udpa.type.v1.TypedStruct",
        ["type_url"] = "type.googleapis.com/" + type,
        ["value"] = Struct(JsonNode.Parse(json)!.AsObject()),
    };

    /// <summary>A <c>google.protobuf.Struct</c>.</summary>
    public static JsonObject Struct(JsonObject value) =>
        new() { ["fields"] = new JsonObject(value.Select(static pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, Value(pair.Value!)))) };

    private static JsonObject Value(JsonNode value) => value switch
    {
        JsonObject map => new JsonObject { ["structValue"] = Struct(map) },
        JsonArray list => new JsonObject { ["listValue"] = new JsonObject { ["values"] = new JsonArray([.. list.Select(static one => Value(one!))]) } },
        JsonValue one when one.TryGetValue(out double number) => new JsonObject { ["numberValue"] = number },
        JsonValue one when one.TryGetValue(out bool flag) => new JsonObject { ["boolValue"] = flag },
        _ => new JsonObject { ["stringValue"] = value.ToString() },
    };
}
