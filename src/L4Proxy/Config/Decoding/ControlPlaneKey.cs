using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Tells control planes apart by what was decoded of their settings, not by their bytes: fields that this build does not know change
/// nothing, and the file of the last good resources does not have them. Another form needs another format number of that file.
/// </summary>
internal static class ControlPlaneKey
{
    private const int HashBytes = 8;

    /// <summary><paramref name="plane"/> with its key and its short name.</summary>
    public static ControlPlaneConfig Named(ControlPlaneConfig plane)
    {
        using var form = new MemoryStream();
        using (var writer = new BinaryWriter(form, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(plane.Delta);
            writer.Write(plane.NodeOnFirstMessageOnly);
            writer.Write(plane.Servers.Length);
            foreach (GrpcServerConfig server in plane.Servers)
            {
                Write(writer, server);
            }
        }

        byte[] bytes = form.ToArray();
        GrpcServerConfig first = plane.Servers[0];
        return plane with
        {
            Key = Convert.ToBase64String(bytes),
            Id = $"{first.Cluster ?? first.Target}#{Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, HashBytes))}",
        };
    }

    /// <summary>Every text has its length before it, so that no two settings have the same form.</summary>
    private static void Write(BinaryWriter writer, GrpcServerConfig server)
    {
        writer.Write(server.Cluster is not null);
        writer.Write(server.Cluster ?? server.Target ?? "");
        writer.Write(server.Authority);
        writer.Write(server.Metadata.Length);
        foreach ((string name, string value) in server.Metadata)
        {
            writer.Write(name);
            writer.Write(value);
        }

        writer.Write(server.Secrets.Length);
        foreach (SecretHeaderConfig secret in server.Secrets)
        {
            writer.Write(secret.Name);
            writer.Write(secret.Prefix);
            Write(writer, secret.Value);
        }

        // Names stand in the TLS settings of a static cluster alone, which are not part of a source.
        writer.Write(server.Tls is not null);
        Write(writer, server.Tls?.Roots);
        Write(writer, server.Tls?.Chain);
        Write(writer, server.Tls?.Key);
        writer.Write(server.Tls?.ServerName ?? "");
    }

    private static void Write(BinaryWriter writer, DataSource? source)
    {
        byte[] known = source is null ? [] : DataSource.Parser.WithDiscardUnknownFields(true).ParseFrom(source.ToByteString()).ToByteArray();
        writer.Write(source is not null);
        writer.Write(known.Length);
        writer.Write(known);
    }
}
