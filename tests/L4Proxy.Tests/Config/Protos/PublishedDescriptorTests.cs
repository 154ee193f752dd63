using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Protos;

/// <summary>
/// Holds the hand-written subset against the published API. <c>newer.txt</c> names what the subset has from a later
/// release than the package: <c>message</c>, <c>message.field</c> or <c>enum.VALUE</c>.
/// </summary>
public sealed class PublishedDescriptorTests(PublishedProtos published) : IClassFixture<PublishedProtos>
{
    private static readonly HashSet<string> Newer = ReadNewer();

    [Fact]
    public void Messages_OfTheSubset_ArePublished() =>
        OwnProtos.Messages.Select(message => message.FullName)
            .Where(name => !published.Messages.ContainsKey(name) && !Newer.Contains(name))
            .ShouldBeEmpty();

    [Fact]
    public void Fields_OfTheSubset_HaveThePublishedNumberTypeAndLabel() =>
        (from message in OwnProtos.Messages
         where published.Messages.ContainsKey(message.FullName)
         let theirs = published.Messages[message.FullName]
         from own in message.ToProto().Field
         where !Newer.Contains($"{message.FullName}.{own.Name}")
         let found = theirs.Field.SingleOrDefault(field => field.Name == own.Name)
         let expected = found is null ? "not published" : Shape(found, theirs)
         let actual = Shape(own, message.ToProto())
         where expected != actual
         select $"{message.FullName}.{own.Name}: {actual}, published {expected}").ShouldBeEmpty();

    [Fact]
    public void Messages_WithFields_DeclareEveryPublishedField() =>
        (from message in OwnProtos.Messages
         where message.Fields.InDeclarationOrder().Count > 0 && published.Messages.ContainsKey(message.FullName)
         from field in published.Messages[message.FullName].Field
         where message.FindFieldByNumber(field.Number) is null
         select $"{message.FullName}.{field.Name} = {field.Number}").ShouldBeEmpty();

    [Fact]
    public void Enums_OfTheSubset_HaveThePublishedValues()
    {
        List<string> differences = [];
        foreach (EnumDescriptor own in OwnProtos.Enums.Where(own => !Newer.Contains(own.FullName)))
        {
            published.Enums.TryGetValue(own.FullName, out EnumDescriptorProto? theirs).ShouldBeTrue(own.FullName);
            string[] ours = [.. own.Values.Where(value => !Newer.Contains($"{own.FullName}.{value.Name}")).Select(value => $"{value.Name}={value.Number}")];
            differences.AddRange(ours.Except(theirs!.Value.Select(Value)).Select(value => $"{own.FullName}: {value} is not published"));
            differences.AddRange(theirs.Value.Select(Value).Except(ours).Select(value => $"{own.FullName}: {value} is missing"));
        }
        differences.ShouldBeEmpty();
    }

    [Fact]
    public void Methods_OfStreams_ArePublished() =>
        (from variant in new IDiscoveryVariant[] { new SotwVariant(), new DeltaVariant() }
         from type in DiscoveredResources.Types.Concat([null, TypeUrls.Listener, TypeUrls.Cluster, TypeUrls.Endpoints])
         select DiscoveryMethods.Of(type, variant))
            .ShouldAllBe(method => published.Methods.Contains(method));

    [Fact]
    public void Newer_Entries_AreInTheSubsetAndNotPublished()
    {
        HashSet<string> own = [.. OwnProtos.Messages.Select(message => message.FullName), .. OwnProtos.Enums.Select(@enum => @enum.FullName)];
        own.UnionWith(OwnProtos.Messages.SelectMany(message => message.Fields.InDeclarationOrder()).Select(field => field.FullName));
        own.UnionWith(OwnProtos.Enums.SelectMany(@enum => @enum.Values.Select(value => $"{@enum.FullName}.{value.Name}")));
        HashSet<string> theirs = [.. published.Messages.Keys, .. published.Enums.Keys];
        theirs.UnionWith(published.Messages.SelectMany(message => message.Value.Field.Select(field => $"{message.Key}.{field.Name}")));
        theirs.UnionWith(published.Enums.SelectMany(@enum => @enum.Value.Value.Select(value => $"{@enum.Key}.{value.Name}")));

        Newer.Except(own).ShouldBeEmpty("these are not in the subset");
        Newer.Intersect(theirs).ShouldBeEmpty("these are published by now");
    }

    private static string Value(EnumValueDescriptorProto value) => $"{value.Name}={value.Number}";

    private static string Shape(FieldDescriptorProto field, DescriptorProto message)
    {
        string type = IsMap(field, message, out DescriptorProto? entry)
            ? $"map<{Type(entry!.Field[0])}, {Type(entry.Field[1])}>"
            : $"{field.Label} {Type(field)}";
        string oneof = field.HasOneofIndex ? $" in {message.OneofDecl[field.OneofIndex].Name}" : "";
        return $"{field.Number} {type}{oneof}";
    }

    private static string Type(FieldDescriptorProto field) => field.TypeName.Length > 0 ? field.TypeName : field.Type.ToString();

    private static bool IsMap(FieldDescriptorProto field, DescriptorProto message, out DescriptorProto? entry)
    {
        string name = field.TypeName[(field.TypeName.LastIndexOf('.') + 1)..];
        entry = message.NestedType.SingleOrDefault(nested => nested.Name == name && nested.Options?.MapEntry == true);
        return entry is not null;
    }

    private static HashSet<string> ReadNewer()
    {
        using StreamReader reader = new(typeof(PublishedDescriptorTests).Assembly.GetManifestResourceStream("newer.txt")!);
        return [.. reader.ReadToEnd().Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#')];
    }
}
