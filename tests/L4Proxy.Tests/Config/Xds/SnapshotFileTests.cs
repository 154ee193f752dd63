using System.Runtime.Versioning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.ProxyProtocol.V3;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

[SupportedOSPlatform("linux")]
public sealed class SnapshotFileTests : IDisposable
{
    private const string Key = "-----BEGIN PRIVATE KEY----- secret";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("meshl4-snapshot-");

    private string File => Path.Combine(_folder.FullName, "last");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void WrittenFile_IsReadBack_AndReadableByItsOwnerAlone()
    {
        DateTimeOffset time = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        SnapshotFile.Write(File, [Running("a", new Cluster { Name = "a" }), Running("b", new Cluster { Name = "b" })], time);
        var (saved, responses) = SnapshotFile.Read(File);
        saved.ShouldBe(time);
        responses.ShouldHaveSingleItem().Resources.Select(one => (one.Name, one.Version)).ShouldBe([("a", "v-a"), ("b", "v-b")]);
        responses[0].Nonce.ShouldBe("ads");
        System.IO.File.GetUnixFileMode(File).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void PrivateKeys_AreLeftOut_WhereverTheyStand()
    {
        var tls = new Any { TypeUrl = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", Value = ByteString.CopyFromUtf8(Key) };
        var wrapped = new ProxyProtocolUpstreamTransport { TransportSocket = new TransportSocket { Name = "tls", TypedConfig = tls } };
        var cluster = new Cluster { Name = "a", TransportSocket = new TransportSocket { TypedConfig = Any.Pack(wrapped) } };
        cluster.TransportSocketMatches.Add(new Cluster.Types.TransportSocketMatch { TransportSocket = new TransportSocket { TypedConfig = tls } });
        cluster.TypedExtensionProtocolOptions["x"] = new Any { TypeUrl = "type.googleapis.com/some.Thing", Value = ByteString.CopyFromUtf8(Key) };
        SnapshotFile.Write(File, [Running("a", cluster)], DateTimeOffset.UnixEpoch);
        System.IO.File.ReadAllText(File).ShouldNotContain("secret");
        Cluster back = Cluster.Parser.ParseFrom(SnapshotFile.Read(File).Responses[0].Resources[0].Resource_.Value);
        back.TransportSocketMatches[0].TransportSocket.TypedConfig.TypeUrl.ShouldBe(tls.TypeUrl);
        cluster.TransportSocketMatches[0].TransportSocket.TypedConfig.Value.IsEmpty.ShouldBeFalse("what runs is not touched");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(10)]
    [InlineData(0)]
    public void TornFile_IsRefusedAsAWhole(int keep)
    {
        SnapshotFile.Write(File, [Running("a", new Cluster { Name = "a" })], DateTimeOffset.UnixEpoch);
        byte[] content = System.IO.File.ReadAllBytes(File);
        System.IO.File.WriteAllBytes(File, keep < 0 ? content[..^1] : content[..keep]);
        Should.Throw<IOException>(() => SnapshotFile.Read(File));
    }

    private static RunningResource Running(string name, Cluster cluster)
        => new(TypeUrls.Cluster, name, "v-" + name, "ads", DateTimeOffset.UnixEpoch, StoredResource.Keep(TypeUrls.Cluster, OfferedResource.Of([cluster]))[0]);
}
