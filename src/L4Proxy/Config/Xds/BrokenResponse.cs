using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Takes a response apart of which some resource is no message, so that it costs that resource and not all of them.</summary>
internal static class BrokenResponse
{
    /// <summary><c>resources</c> of <see cref="DiscoveryResponse"/> and of <see cref="DeltaDiscoveryResponse"/>.</summary>
    private const int Resources = 2;

    /// <summary>False when not even the response's own fields can be told apart.</summary>
    /// <param name="response">The response.</param>
    /// <param name="rest">The response without its resources.</param>
    /// <param name="resources">The bytes of each resource.</param>
    public static bool TrySplit(ReadOnlyMemory<byte> response, out byte[] rest, out List<ReadOnlyMemory<byte>> resources)
    {
        (rest, resources) = ([], []);
        using var others = new MemoryStream();
        var reader = new WireReader(response);
        for (int start = 0; !reader.AtEnd; start = reader.Position)
        {
            if (!reader.TryRead(out WireField field))
            {
                return false;
            }

            if (field is { Number: Resources, WireType: WireReader.LengthDelimited })
            {
                resources.Add(field.Bytes);
            }
            else
            {
                others.Write(response[start..reader.Position].Span);
            }
        }

        rest = others.ToArray();
        return true;
    }

    /// <summary>Reads a resource with <paramref name="read"/>; what fails becomes one that cannot be read, under the name in its envelope.</summary>
    /// <param name="bytes">The resource.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="envelope">The bytes of its <see cref="Resource"/>; empty when it has none.</param>
    public static DiscoveredResource Read(ReadOnlyMemory<byte> bytes, Func<DiscoveredResource> read, ReadOnlyMemory<byte> envelope)
    {
        try
        {
            return read();
        }
        catch (InvalidProtocolBufferException broken)
        {
            return new DiscoveredResource(NameIn(envelope), "", null, null) { Unreadable = new UnreadableResource($"cannot be read: {broken.Message}", bytes) };
        }
    }

    /// <summary>The name of an envelope, as far as it can be read; empty for none.</summary>
    private static string NameIn(ReadOnlyMemory<byte> envelope)
    {
        var reader = new WireReader(envelope);
        while (!reader.AtEnd && reader.TryRead(out WireField field))
        {
            if (field is { Number: Resource.NameFieldNumber, WireType: WireReader.LengthDelimited })
            {
                return System.Text.Encoding.UTF8.GetString(field.Bytes.Span);
            }
        }

        return "";
    }
}
