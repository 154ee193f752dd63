using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Google.Protobuf.Reflection;
using Shouldly;

namespace MeshL4.L4Proxy.Tests.Config.Protos;

/// <summary>The descriptors of the published protos, compiled from the npm package in tests/npm by protoc.</summary>
public sealed partial class PublishedProtos : IDisposable
{
    private readonly string _work = Directory.CreateTempSubdirectory("meshl4-protos").FullName;

    /// <summary>Messages by full name.</summary>
    internal Dictionary<string, DescriptorProto> Messages { get; } = [];

    /// <summary>Enums by full name.</summary>
    internal Dictionary<string, EnumDescriptorProto> Enums { get; } = [];

    /// <summary>Methods of the discovery services, as requests name them: <c>/package.Service/Method</c>.</summary>
    internal HashSet<string> Methods { get; } = [];

    public PublishedProtos()
    {
        string deps = Path.Combine(Metadata("NpmPath"), "node_modules/@grpc/grpc-js-xds/deps");
        Directory.Exists(deps).ShouldBeTrue($"{deps} is missing: run eng/setup.sh");
        string[] roots = [_work, .. Directory.GetDirectories(deps)];
        WriteValidateProto(deps);
        string[] wanted = [.. OwnProtos.Files.Select(file => file.Name).Where(name => roots.Any(root => File.Exists(Path.Combine(root, name))))];
        string[] discovery = ["discovery/v3/ads", "listener/v3/lds", "cluster/v3/cds", "endpoint/v3/eds", "route/v3/rds", "secret/v3/sds", "extension/v3/config_discovery"];
        string[] services = [.. discovery.Select(static name => $"envoy/service/{name}.proto")];
        foreach (FileDescriptorProto file in Compile(roots, [.. wanted.Union(services)]).File)
            Add(file);
    }

    public void Dispose() => Directory.Delete(_work, true);

    /// <summary>The package's copy lacks <c>ignore_empty</c>, which its own Envoy protos use; the options do not matter here.</summary>
    private void WriteValidateProto(string deps)
    {
        string text = File.ReadAllText(Path.Combine(deps, "protoc-gen-validate/validate/validate.proto"));
        Directory.CreateDirectory(Path.Combine(_work, "validate"));
        File.WriteAllText(
            Path.Combine(_work, "validate/validate.proto"),
            text.Contains("ignore_empty", StringComparison.Ordinal)
                ? text
                : RulesMessage().Replace(text, "$0\n  optional bool ignore_empty = 1000;"));
    }

    private FileDescriptorSet Compile(string[] roots, string[] files)
    {
        string tools = Metadata("GrpcToolsPath"), output = Path.Combine(_work, "published.pb");
        string platform = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "linux_arm64" : "linux_x64";
        ProcessStartInfo start = new(Path.Combine(tools, "tools", platform, "protoc")) { RedirectStandardError = true };
        foreach (string root in roots)
            start.ArgumentList.Add($"-I{root}");
        start.ArgumentList.Add($"-I{Path.Combine(tools, "build/native/include")}");
        start.ArgumentList.Add("--include_imports");
        start.ArgumentList.Add($"--descriptor_set_out={output}");
        Array.ForEach(files, start.ArgumentList.Add);
        using Process protoc = Process.Start(start)!;
        string errors = protoc.StandardError.ReadToEnd();
        protoc.WaitForExit();
        protoc.ExitCode.ShouldBe(0, errors);
        return FileDescriptorSet.Parser.ParseFrom(File.ReadAllBytes(output));
    }

    private void Add(FileDescriptorProto file)
    {
        foreach (EnumDescriptorProto @enum in file.EnumType)
            Enums.Add($"{file.Package}.{@enum.Name}", @enum);
        foreach (DescriptorProto message in file.MessageType)
            Add(message, $"{file.Package}.{message.Name}");
        foreach (ServiceDescriptorProto service in file.Service)
            Methods.UnionWith(service.Method.Select(method => $"/{file.Package}.{service.Name}/{method.Name}"));
    }

    private void Add(DescriptorProto message, string name)
    {
        Messages.Add(name, message);
        foreach (EnumDescriptorProto @enum in message.EnumType)
            Enums.Add($"{name}.{@enum.Name}", @enum);
        foreach (DescriptorProto nested in message.NestedType)
            Add(nested, $"{name}.{nested.Name}");
    }

    private static string Metadata(string key) =>
        typeof(PublishedProtos).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(entry => entry.Key == key).Value!;

    [GeneratedRegex(@"^message (String|Bytes|Repeated|Map|Float|Double|[SU]?Int(32|64)|S?Fixed(32|64))Rules \{", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex RulesMessage();
}
