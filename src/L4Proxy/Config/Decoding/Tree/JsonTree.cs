using System.Text;
using System.Text.Json;

namespace MeshL4.L4Proxy.Config.Decoding.Tree;

/// <summary>Reads one JSON document into a tree: no comments, no trailing commas, depth bounded.</summary>
internal static class JsonTree
{
    /// <summary>Returns null after reporting why when the text is not one JSON document.</summary>
    public static ConfigNode? Parse(ReadOnlyMemory<byte> content, IssueScope scope)
    {
        TreeBuilder builder = new(scope);
        try
        {
            Read(content.Span, builder);
        }
        catch (ConfigSyntaxException refused)
        {
            scope.Error(FieldPath.Root, refused.Message, refused.Line);
            return null;
        }
        catch (JsonException broken)
        {
            scope.Error(FieldPath.Root, $"is not JSON: {broken.Message}", (int)(broken.LineNumber ?? 0) + 1);
            return null;
        }
        return builder.Root;
    }

    private static void Read(ReadOnlySpan<byte> text, TreeBuilder builder)
    {
        // One level more than the builder allows, so that its message is the one that is given.
        Utf8JsonReader reader = new(text, new JsonReaderOptions { MaxDepth = TreeBuilder.MaxDepth + 1 });
        int line = 1, counted = 0;
        while (reader.Read())
        {
            int start = (int)reader.TokenStartIndex;
            line += text[counted..start].Count((byte)'\n');
            counted = start;
            Take(ref reader, builder, line);
        }
    }

    private static void Take(ref Utf8JsonReader reader, TreeBuilder builder, int line)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                builder.Start(new ConfigMapping(line), null);
                break;
            case JsonTokenType.StartArray:
                builder.Start(new ConfigSequence(line), null);
                break;
            case JsonTokenType.EndObject or JsonTokenType.EndArray:
                builder.End();
                break;
            case JsonTokenType.PropertyName:
                builder.Key(Text(ref reader, line), line);
                break;
            default:
                builder.Scalar(Scalar(ref reader, line), null);
                break;
        }
    }

    private static ConfigScalar Scalar(ref Utf8JsonReader reader, int line) => reader.TokenType switch
    {
        JsonTokenType.String => new(Text(ref reader, line), ScalarKind.String, line),
        JsonTokenType.Number => new(Encoding.UTF8.GetString(reader.ValueSpan), ScalarKind.Number, line),
        JsonTokenType.Null => new("null", ScalarKind.Null, line),
        _ => new(reader.TokenType == JsonTokenType.True ? "true" : "false", ScalarKind.Bool, line),
    };

    private static string Text(ref Utf8JsonReader reader, int line)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new ConfigSyntaxException("a string is not valid UTF-8 or holds half a surrogate pair", line);
        }
    }
}
