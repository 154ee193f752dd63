using System.Runtime.Versioning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.ProxyProtocol.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;
using NetworkFilterMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Filter;

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

    [Fact]
    public void Passwords_AreLeftOut_TheirChainClosesAndSaysSo_AndTheOthersStay()
    {
        var redis = new RedisProxy { StatPrefix = "r", DownstreamAuthPasswords = { new DataSource { InlineString = "secret" } } };
        var rpc = new XRpcProxy { StatPrefix = "x", Authentication = new() { Passwords = { new DataSource { InlineBytes = ByteString.CopyFromUtf8("secret") } } } };
        var fromFile = new RedisProxy { StatPrefix = "f", DownstreamAuthPassword = new DataSource { Filename = "/run/password" } };
        var listener = new Listener { Name = "l", FilterChains = { Chain(redis), Chain(fromFile), Chain(rpc) } };
        DeltaDiscoveryResponse back = Saved(TypeUrls.Listener, "l", listener);
        Listener.Parser.ParseFrom(back.Resources.ShouldHaveSingleItem().Resource_.Value).FilterChains.Select(static chain => chain.Filters.Count).ShouldBe([0, 1, 0]);
        back.ResourceErrors.Select(static error => error.ErrorDetail.Message).ShouldBe(
        [
            "filter_chains[0].filters[0].typed_config.downstream_auth_passwords is a secret and was not saved",
            "filter_chains[0] has no filters without it, and closes its connections",
            "filter_chains[2].filters[0].typed_config.authentication.passwords is a secret and was not saved",
            "filter_chains[2] has no filters without it, and closes its connections",
        ]);
    }

    [Fact]
    public void ResourceThatNeedsItsSecret_IsNotSaved_AndNamed()
    {
        var options = new RedisProtocolOptions { Credentials = { new RedisProtocolOptions.Types.Credential { AuthPassword = new DataSource { InlineString = "secret" } } } };
        DeltaDiscoveryResponse cluster = Saved(TypeUrls.Cluster, "a", new Cluster { Name = "a", TypedExtensionProtocolOptions = { ["redis"] = Any.Pack(options) } });
        var service = new GrpcService { GoogleGrpc = new() { TargetUri = "plane:1" }, InitialMetadata = { new HeaderValue { Key = "authorization", Value = "secret" } } };
        service.GoogleGrpc.ChannelCredentials = new() { SslCredentials = new() { PrivateKey = new DataSource { InlineString = Key } } };
        var source = new ConfigSource { ApiConfigSource = new() { GrpcServices = { service } } };
        DeltaDiscoveryResponse eds = Saved(TypeUrls.Cluster, "a", new Cluster { Name = "a", EdsClusterConfig = new() { EdsConfig = source } });
        foreach (DeltaDiscoveryResponse back in new[] { cluster, eds })
        {
            back.Resources.ShouldBeEmpty();
            back.ResourceErrors.ShouldAllBe(static error => error.ResourceName.Name == "a");
            back.ResourceErrors[^1].ErrorDetail.Message.ShouldBe("the resource was not saved, since it needs it");
        }

        eds.ResourceErrors.Count.ShouldBe(3);
    }

    [Fact]
    public void TlsSettings_AreSavedWithoutTheirKeys_AndFieldsNobodyKnowsAreNot()
    {
        var context = new DownstreamTlsContext { CommonTlsContext = new() { TlsCertificates = { new TlsCertificate { PrivateKey = new DataSource { InlineString = Key } } } } };
        context.CommonTlsContext.TlsCertificateSdsSecretConfigs.Add(new SdsSecretConfig { Name = "default" });
        byte[] unknown = [.. context.ToByteArray(), 0xf2, 0x3f, 6, .. "secret"u8]; // field 1022
        var socket = new TransportSocket { Name = "tls", TypedConfig = new Any { TypeUrl = Any.Pack(context).TypeUrl, Value = ByteString.CopyFrom(unknown) } };
        FilterChain chain = Chain(new RedisProxy { StatPrefix = "r" });
        chain.TransportSocket = socket;
        DeltaDiscoveryResponse back = Saved(TypeUrls.Listener, "l", new Listener { Name = "l", FilterChains = { chain } });
        FilterChain saved = Listener.Parser.ParseFrom(back.Resources.ShouldHaveSingleItem().Resource_.Value).FilterChains[0];
        saved.Filters.Count.ShouldBe(1);
        saved.TransportSocket.TypedConfig.Unpack<DownstreamTlsContext>().CommonTlsContext.TlsCertificateSdsSecretConfigs[0].Name.ShouldBe("default");
        back.ResourceErrors.ShouldHaveSingleItem().ErrorDetail.Message.ShouldContain("tls_certificates[0].private_key is a secret and was not saved");
    }

    private static FilterChain Chain(IMessage settings) => new() { Filters = { new NetworkFilterMessage { Name = "f", TypedConfig = Any.Pack(settings) } } };

    /// <summary>What is read back; the word for the secrets of these tests is not in the file.</summary>
    private DeltaDiscoveryResponse Saved(string type, string name, IMessage message)
    {
        SnapshotFile.Write(File, [Running(type, name, message)], DateTimeOffset.UnixEpoch);
        string text = System.IO.File.ReadAllText(File).Replace("is a secret and was not saved", "", StringComparison.Ordinal);
        text.ShouldNotContain("secret");
        return SnapshotFile.Read(File).Responses.ShouldHaveSingleItem();
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

    [Fact]
    public void FileOfTheFormatBefore_IsRefused_ItsSourcesMeanNothingNow()
    {
        SnapshotFile.Write(File, [Running("a", new Cluster { Name = "a" })], DateTimeOffset.UnixEpoch);
        string content = System.IO.File.ReadAllText(File, System.Text.Encoding.Latin1);
        System.IO.File.WriteAllText(File, content.Replace("meshl4-xds-snapshot 2", "meshl4-xds-snapshot 1", StringComparison.Ordinal), System.Text.Encoding.Latin1);
        Should.Throw<IOException>(() => SnapshotFile.Read(File));
    }

    private static RunningResource Running(string name, Cluster cluster) => Running(TypeUrls.Cluster, name, cluster);

    private static RunningResource Running(string type, string name, IMessage message)
        => new(type, name, "v-" + name, "ads", DateTimeOffset.UnixEpoch, StoredResource.Keep(type, OfferedResource.Of([message]))[0]);
}
