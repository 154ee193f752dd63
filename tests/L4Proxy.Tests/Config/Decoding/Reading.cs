using System.Text;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;

namespace MeshL4.L4Proxy.Tests.Config.Decoding;

/// <summary>Short forms of one read and what it told.</summary>
internal static class Reading
{
    public static (T? Message, IssueCollector Issues) Yaml<T>(string text, ConfigSourceKind kind = ConfigSourceKind.Bootstrap)
        where T : class, IMessage<T>, new() => Read<T>(Encoding.UTF8.GetBytes(text), ConfigFormat.Yaml, kind);

    public static (T? Message, IssueCollector Issues) Json<T>(string text, ConfigSourceKind kind = ConfigSourceKind.Bootstrap)
        where T : class, IMessage<T>, new() => Read<T>(Encoding.UTF8.GetBytes(text), ConfigFormat.Json, kind);

    public static (T? Message, IssueCollector Issues) Binary<T>(byte[] bytes, ConfigSourceKind kind = ConfigSourceKind.File)
        where T : class, IMessage<T>, new() => Read<T>(bytes, ConfigFormat.Binary, kind);

    public static (T? Message, IssueCollector Issues) Read<T>(byte[] content, ConfigFormat format, ConfigSourceKind kind)
        where T : class, IMessage<T>, new()
    {
        IssueCollector issues = new();
        return (ConfigMessageReader.Read<T>(content, format, "test", kind, issues), issues);
    }

    /// <summary>The one issue there is.</summary>
    public static ConfigIssue Only(this IssueCollector issues) => issues.Issues.ShouldHaveSingleItem();
}
