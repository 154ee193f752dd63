using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace MeshL4.L4Proxy.Config.Decoding.Tree;

/// <summary>Reads one YAML document into a tree: aliases and depth bounded, no merge keys, no tags but the plain ones.</summary>
internal static class YamlTree
{
    private static readonly UTF8Encoding Strict = new(false, true);

    /// <summary>Returns null after reporting why when the text is not one YAML document.</summary>
    public static ConfigNode? Parse(ReadOnlyMemory<byte> content, IssueScope scope)
    {
        TreeBuilder builder = new(scope);
        try
        {
            Parser parser = new(new Scanner(new StringReader(Strict.GetString(content.Span)), skipComments: true));
            int documents = 0;
            while (Next(parser))
                documents = Take(parser.Current!, builder, documents);
        }
        catch (DecoderFallbackException)
        {
            scope.Error(FieldPath.Root, "is not UTF-8 text");
            return null;
        }
        catch (ConfigSyntaxException refused)
        {
            scope.Error(FieldPath.Root, refused.Message, refused.Line);
            return null;
        }
        catch (YamlException broken)
        {
            scope.Error(FieldPath.Root, $"is not YAML: {broken.Message}", (int)broken.Start.Line);
            return null;
        }
        if (builder.Root is null)
            scope.Error(FieldPath.Root, "is empty");
        return builder.Root;
    }

    /// <summary>On some malformed text the scanner fails with exceptions of other kinds; here they are all syntax errors.</summary>
    private static bool Next(Parser parser)
    {
        try
        {
            return parser.MoveNext();
        }
        catch (Exception broken) when (broken is not (YamlException or OutOfMemoryException))
        {
            throw new ConfigSyntaxException("is not YAML: the scanner cannot go on", (int)(parser.Current?.End.Line ?? 1));
        }
    }

    private static int Take(ParsingEvent @event, TreeBuilder builder, int documents)
    {
        int line = (int)@event.Start.Line;
        switch (@event)
        {
            case DocumentStart when documents > 0:
                throw new ConfigSyntaxException("holds more than one document", line);
            case DocumentStart:
                return documents + 1;
            case MappingStart start:
                builder.Start(new ConfigMapping(line), Checked(start));
                break;
            case SequenceStart start:
                builder.Start(new ConfigSequence(line), Checked(start));
                break;
            case MappingEnd or SequenceEnd:
                builder.End();
                break;
            case AnchorAlias alias:
                builder.Alias(alias.Value.Value, line);
                break;
            case Scalar scalar:
                TakeScalar(scalar, builder, line);
                break;
        }
        return documents;
    }

    private static void TakeScalar(Scalar scalar, TreeBuilder builder, int line)
    {
        string? anchor = Checked(scalar);
        if (builder.ExpectsKey)
            builder.Key(scalar.Value, line);
        else
            builder.Scalar(new(scalar.Value, Kind(scalar), line), anchor);
    }

    private static ScalarKind Kind(Scalar scalar) =>
        scalar.Style != ScalarStyle.Plain || !scalar.Tag.IsEmpty ? ScalarKind.String : PlainScalar.KindOf(scalar.Value);

    private static string? Checked(NodeEvent node)
    {
        if (!node.Tag.IsEmpty && node.Tag.Value is not ("!" or "tag:yaml.org,2002:str" or "tag:yaml.org,2002:map" or "tag:yaml.org,2002:seq"))
            throw new ConfigSyntaxException($"tag {node.Tag.Value} is not supported", (int)node.Start.Line);
        return node.Anchor.IsEmpty ? null : node.Anchor.Value;
    }
}
