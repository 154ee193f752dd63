using System.Text;
using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Validating;
using BootstrapMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3.Bootstrap;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>Reads the bootstrap file, merges <c>--config-yaml</c> over it and lets flags override the node, as Envoy does.</summary>
internal static class BootstrapReader
{
    /// <summary>Null when there is nothing to decode; every error is in <paramref name="issues"/> either way.</summary>
    public static BootstrapMessage? Read(ProxyArguments arguments, IssueCollector issues)
    {
        BootstrapMessage? message = arguments.ConfigPath is { } path ? ReadFile(path, issues) : new BootstrapMessage();
        if (arguments.ConfigYaml is { } yaml)
        {
            BootstrapMessage? over = ConfigMessageReader.Read<BootstrapMessage>(
                Encoding.UTF8.GetBytes(yaml), ConfigFormat.Yaml, "--config-yaml", ConfigSourceKind.Bootstrap, issues);
            if (over is not null)
            {
                message?.MergeFrom(over);
            }
        }

        if (message is not null)
        {
            OverrideNode(message, arguments);
        }

        return message;
    }

    private static BootstrapMessage? ReadFile(string path, IssueCollector issues)
    {
        try
        {
            byte[] content = File.ReadAllBytes(path);
            return ConfigMessageReader.Read<BootstrapMessage>(content, FormatOf(path), path, ConfigSourceKind.Bootstrap, issues);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            issues.Add(new ConfigIssue(IssueSeverity.Error, "", $"cannot be read: {failure.Message}", Origin: path));
            return null;
        }
    }

    /// <summary>The format a file's name says; YAML, of which JSON is a part, when it says nothing.</summary>
    public static ConfigFormat FormatOf(string path) => Path.GetExtension(path) switch
    {
        ".json" => ConfigFormat.Json,
        ".pb" => ConfigFormat.Binary,
        _ => ConfigFormat.Yaml,
    };

    private static void OverrideNode(BootstrapMessage message, ProxyArguments arguments)
    {
        if (arguments.ServiceNode is null && arguments.ServiceCluster is null && arguments.ServiceZone is null)
        {
            return;
        }

        message.Node ??= new();
        message.Node.Id = arguments.ServiceNode ?? message.Node.Id;
        message.Node.Cluster = arguments.ServiceCluster ?? message.Node.Cluster;
        if (arguments.ServiceZone is { } zone)
        {
            message.Node.Locality ??= new();
            message.Node.Locality.Zone = zone;
        }
    }
}
