using Google.Protobuf;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Bytes in a response that are no resource cost that resource: it is refused by name, the others of the response serve.</summary>
public sealed class BrokenResourceTests : IDisposable
{
    private const string Envelope = "type.googleapis.com/envoy.service.discovery.v3.Resource";

    // Field 3, the name, as it should be; field 6, the time to live, says that it is longer than what follows.
    private static readonly byte[] BrokenWithName = [0x1A, 3, .. "bad"u8, 0x32, 0x7F, 0x08];
    private static readonly byte[] BrokenWithoutName = [0x32, 2, 0x0A, 0x7F];
    private readonly ConfigLedger _ledger = new(TimeProvider.System);
    private readonly DnsResolution _names = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });
    private readonly Subscription _subscription = new(TypeUrls.Cluster);
    private readonly UpdateReceiver _receiver;

    public BrokenResourceTests()
    {
        var builder = new SnapshotBuilder(new ClusterStateRegistry(), _names);
        _receiver = new UpdateReceiver("ads", new ResourceSink(builder, _ledger, new SnapshotStore(), static () => { }, static (_, _) => { }), static (_, _) => { });
        _subscription.WantAll();
    }

    public void Dispose()
    {
        _receiver.Dispose();
        _names.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Resource_WhoseEnvelopeIsBroken_IsRefusedByName_AndTheOthersServe(bool delta)
    {
        Receive(delta, Good("good"), Good("bad"), Good("old"));
        Received received = Receive(delta, BrokenWithName, Good("good", "changed"));
        received.Reasons.ShouldNotBeNull().ShouldStartWith("Cluster/bad: cannot be read: ");
        received.Held.ShouldBe(["good"]);
        _ledger.Running.Select(one => one.Name).ShouldBe(delta ? ["good", "bad", "old"] : ["good", "bad"], ignoreOrder: true, "the last good version of the bad one stays");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Resource_WhoseNameCannotBeRead_IsRefusedByItsPlace_AndNothingIsTakenForGone(bool delta)
    {
        Receive(delta, Good("a"), Good("b"));
        Received received = Receive(delta, Good("a", "changed"), BrokenWithoutName);
        received.Reasons.ShouldNotBeNull().ShouldStartWith("Cluster/resources[1]: cannot be read: ");
        received.Held.ShouldBe(["a"]);
        _ledger.Running.Select(one => one.Name).ShouldBe(["a", "b"], ignoreOrder: true);
    }

    /// <summary>In state of the world the resource itself, an Any, may be broken too.</summary>
    [Fact]
    public void Any_ThatIsNone_IsRefusedByItsPlace()
    {
        byte[] any = [0x0A, 0x7F];
        byte[] good = new Any { TypeUrl = TypeUrls.Cluster, Value = new Cluster { Name = "a" }.ToByteString() }.ToByteArray();
        Received received = Receive(new SotwVariant(), Frame(good, any));
        received.Reasons.ShouldNotBeNull().ShouldStartWith("Cluster/resources[1]: cannot be read: ");
        received.Held.ShouldBe(["a"]);
    }

    [Fact]
    public void NamedSubscription_RefusesWhatHasNoName_AndLeavesOutWhatNobodyAskedFor()
    {
        _subscription.Want(new HashSet<string> { "a" });
        Received received = Receive(true, Good("a"), Good("unasked"), BrokenWithoutName);
        received.Held.ShouldBe(["a"]);
        received.Reasons.ShouldNotBeNull().ShouldContain("Cluster/resources[2]");
        received.Reasons.ShouldNotContain("unasked");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stream_GoesOn_WithARefusal(bool delta)
    {
        await using var fixture = new ClientFixture(delta ? new DeltaVariant() : new SotwVariant());
        fixture.Verdict = update => _receiver.Receive(update, _subscription);
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<IMessage>();
        stream.Respond(Response(delta, BrokenWithName));
        IMessage answer = await stream.RequestAsync<IMessage>();
        (string nonce, string reason) = answer is DeltaDiscoveryRequest request
            ? (request.ResponseNonce, request.ErrorDetail.Message) : (((DiscoveryRequest)answer).ResponseNonce, ((DiscoveryRequest)answer).ErrorDetail.Message);
        nonce.ShouldBe("n");
        reason.ShouldStartWith("Cluster/bad: cannot be read");
    }

    [Fact]
    public void Response_ThatBreaksOffItself_IsUnreadable()
        => Should.Throw<InvalidProtocolBufferException>(() => new DeltaVariant().Read([.. Response(true, BrokenWithName), 0x2A, 0x7F], Find));

    private Received Receive(bool delta, params byte[][] envelopes) => Receive(delta ? new DeltaVariant() : new SotwVariant(), Response(delta, envelopes));

    private Received Receive(IDiscoveryVariant variant, byte[] response)
    {
        DiscoveryUpdate update = variant.Read(response, Find);
        Received received = _receiver.Receive(update, _subscription);
        variant.Note(_subscription, update, received.Reasons is null, received.Held);
        return received;
    }

    private Subscription? Find(string typeUrl) => typeUrl == TypeUrls.Cluster ? _subscription : null;

    private static byte[] Response(bool delta, params byte[][] envelopes) => delta ? Frame(envelopes)
        : Frame([.. envelopes.Select(one => new Any { TypeUrl = Envelope, Value = ByteString.CopyFrom(one) }.ToByteArray())]);

    /// <summary>Type URL and nonce have the numbers 4 and 5, and resources the number 2, in both responses.</summary>
    private static byte[] Frame(params byte[][] resources)
    {
        byte[] type = System.Text.Encoding.ASCII.GetBytes(TypeUrls.Cluster);
        return [0x22, (byte)type.Length, .. type, 0x2A, 1, (byte)'n', .. resources.SelectMany(one => (byte[])[0x12, .. Varint(one.Length), .. one])];
    }

    private static byte[] Varint(int value) => value < 0x80 ? [(byte)value] : [(byte)(value | 0x80), (byte)(value >> 7)];

    private static byte[] Good(string name, string alt = "") => new Resource
    {
        Name = name, Version = "v" + alt,
        Resource_ = new Any { TypeUrl = TypeUrls.Cluster, Value = new Cluster { Name = name, AltStatName = alt }.ToByteString() },
    }.ToByteArray();
}
