using System.Buffers.Binary;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.Load.Xds;

/// <summary>A delta response made before anything is measured: the time to make it must not hide the time to take it.</summary>
/// <param name="TypeUrl">Of its resources.</param>
/// <param name="Nonce">What its acknowledgement carries.</param>
/// <param name="Frame">The gRPC frame.</param>
internal sealed record PreparedResponse(string TypeUrl, string Nonce, byte[] Frame)
{
    private const int HeaderBytes = 5;

    /// <summary>The resources in it, each on the wire, one after the other.</summary>
    public IEnumerable<ByteString> Resources()
        => DeltaDiscoveryResponse.Parser.ParseFrom(Frame.AsSpan(HeaderBytes)).Resources.Select(static one => one.Resource_.Value);

    /// <summary>Resources with their names, all of one version.</summary>
    public static PreparedResponse Of(string typeUrl, string nonce, IEnumerable<(string Name, IMessage Message)> resources)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce, SystemVersionInfo = nonce };
        response.Resources.AddRange(resources.Select(one => new Resource
        {
            Name = one.Name, Version = nonce, Resource_ = new Any { TypeUrl = typeUrl, Value = one.Message.ToByteString() },
        }));
        var frame = new byte[HeaderBytes + response.CalculateSize()];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)(frame.Length - HeaderBytes));
        response.WriteTo(frame.AsSpan(HeaderBytes));
        return new PreparedResponse(typeUrl, nonce, frame);
    }
}
