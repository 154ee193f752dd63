using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Protos.Google.Rpc;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// The last good resources on disk. Format: a line <c>meshl4-xds-snapshot 2 TIME SHA256</c>, then one length-delimited
/// <c>DeltaDiscoveryResponse</c> for each type and stream, whose nonce names the stream and whose <c>resource_errors</c> say which resource
/// lacks a secret, or stands in the file no more for that. The hash is that of all behind the line.
/// </summary>
internal static class SnapshotFile
{
    /// <summary>The number changes with the names of sources too: endpoints are found by them.</summary>
    private const string Magic = "meshl4-xds-snapshot 2";

    /// <summary>Replaces the file in one step: whoever reads it meets the old or the new, whole.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(string path, IEnumerable<RunningResource> resources, DateTimeOffset time)
    {
        using var body = new MemoryStream();
        foreach (IGrouping<(string TypeUrl, string Source), RunningResource> group in resources.GroupBy(one => (one.TypeUrl, one.Source)))
        {
            var response = new DeltaDiscoveryResponse { TypeUrl = group.Key.TypeUrl, Nonce = group.Key.Source };
            foreach (RunningResource one in group.OrderBy(one => one.Name, StringComparer.Ordinal))
            {
                Add(one, response);
            }

            response.WriteDelimitedTo(body);
        }

        byte[] bytes = body.ToArray();
        string head = $"{Magic} {time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture)} {Convert.ToHexStringLower(SHA256.HashData(bytes))}\n";
        string next = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (OperatingSystem.IsLinux())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (FileStream file = new(next, options))
        {
            file.Write(Encoding.Latin1.GetBytes(head));
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }

        File.Move(next, path, overwrite: true);
    }

    /// <summary>Reads the file back.</summary>
    /// <exception cref="IOException">It cannot be read, or is not whole.</exception>
    public static (DateTimeOffset Saved, IReadOnlyList<DeltaDiscoveryResponse> Responses) Read(string path)
    {
        byte[] content = File.ReadAllBytes(path);
        int end = Array.IndexOf(content, (byte)'\n');
        string[] head = Encoding.Latin1.GetString(content, 0, Math.Max(0, end)).Split(' ');
        if (end < 0 || head.Length != 4 || $"{head[0]} {head[1]}" != Magic
            || !DateTimeOffset.TryParse(head[2], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset saved)
            || head[3] != Convert.ToHexStringLower(SHA256.HashData(content.AsSpan(end + 1))))
        {
            throw new IOException($"{path} is not a whole snapshot");
        }

        var responses = new List<DeltaDiscoveryResponse>();
        using var body = new MemoryStream(content, end + 1, content.Length - end - 1);
        while (body.Position < body.Length)
        {
            responses.Add(DeltaDiscoveryResponse.Parser.ParseDelimitedFrom(body));
        }

        return (saved, responses);
    }

    private static void Add(RunningResource one, DeltaDiscoveryResponse response)
    {
        SavedMessage saved = SavedMessage.Of(one.Stored.Read());
        if (saved.IsUsable)
        {
            response.Resources.Add(new Resource
            {
                Name = one.Name, Version = one.Version, Resource_ = new Any { TypeUrl = one.TypeUrl, Value = saved.Message.ToByteString() },
            });
        }

        foreach (string lack in saved.IsUsable ? saved.Lacking : [.. saved.Lacking, "the resource was not saved, since it needs it"])
        {
            response.ResourceErrors.Add(new ResourceError { ResourceName = new ResourceName { Name = one.Name }, ErrorDetail = new Status { Message = lack } });
        }
    }
}
