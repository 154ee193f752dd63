using System.Net.Sockets;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

/// <summary>A segment that lies outside its connection's window is not translated: it reaches the pod as a segment to a port that nobody
/// listens on, and the reset that answers it ends the connection. <c>--drop-invalid</c> is for that.</summary>
public class DropInvalidTests
{
    private const uint FarOutside = 0x40000000;
    private static readonly byte[] PodHardware = [2, 0, 0, 0, 0, 1];
    private static readonly byte[] OutsideHardware = [2, 0, 0, 0, 0, 2];

    public static TheoryData<string, string> BackendsAndAddresses
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string backend in new[] { "", "nft", "legacy" })
            {
                data.Add(backend, Pod.Ip);
                data.Add(backend, Pod.Ip6);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BackendsAndAddresses))]
    public void Inbound_SegmentOutsideTheWindow_IsDroppedAndItsConnectionGoesOn(string backend, string address)
    {
        using var scene = new Scene(address, [("drop-invalid", "true"), .. Backend(backend)]);
        scene.SendOutsideTheWindow();
        scene.Client.Send("still here"u8);

        byte[] received = new byte[64];
        received[..scene.Accepted.Receive(received)].ShouldBe("still here"u8.ToArray());
        scene.Frames().ShouldNotContain(f => (f.Flags & Frame.Reset) != 0);
    }

    [Theory]
    [MemberData(nameof(BackendsAndAddresses))]
    public void Inbound_SegmentOutsideTheWindowWithoutTheFlag_EndsItsConnection(string backend, string address)
    {
        using var scene = new Scene(address, [.. Backend(backend)]);
        scene.SendOutsideTheWindow();

        Should.Throw<SocketException>(() => scene.Client.Receive(new byte[1])).SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
        scene.Frames().ShouldContain(f => (f.Flags & Frame.Reset) != 0);
    }

    private static (string, string)[] Backend(string kind) => kind.Length == 0 ? [] : [("force-iptables-binary", kind)];

    /// <summary>A captured connection from outside, and what passes on its wire.</summary>
    private sealed class Scene : IDisposable
    {
        private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
        private readonly Pod _pod = new();
        private readonly Socket _wire;
        private readonly Socket _proxy;
        private readonly Frame _accepting;

        public Scene(string address, (string, string)[] flags)
        {
            _pod.Apply([("istio-inbound-ports", "*"), .. flags]);
            _wire = Pod.In(_pod.Outside, () => new Socket(new SafeSocketHandle(PacketSockets.Open("eth0"), true)) { Blocking = true });
            _proxy = Pod.Listen(_pod.Name, 15006);
            Client = Pod.Connect(_pod.Outside, address, 8080);
            Accepted = Pod.Accept(_proxy);
            Client.ReceiveTimeout = Accepted.ReceiveTimeout = (int)Limit.TotalMilliseconds;
            // What connect returned after has been on the wire; more than once, where the machine stood still meanwhile.
            _accepting = Frames().First(f => (f.Flags & (Frame.Syn | Frame.Ack)) == (Frame.Syn | Frame.Ack));
        }

        public Socket Client { get; }

        public Socket Accepted { get; }

        /// <summary>An acknowledgement as the client's own, but for its place in the stream.</summary>
        public void SendOutsideTheWindow() => _wire.Send(new Frame(Transports.Tcp, _accepting.Destination, _accepting.Source, Frame.Ack,
            _accepting.Acknowledged + FarOutside, _accepting.Sequence + 1).ToBytes(OutsideHardware, PodHardware));

        /// <summary>What has passed since last asked.</summary>
        public List<Frame> Frames()
        {
            var frames = new List<Frame>();
            byte[] buffer = new byte[2048];
            while (_wire.Poll(0, SelectMode.SelectRead))
            {
                if (Frame.Read(buffer.AsSpan(0, _wire.Receive(buffer))) is Frame frame)
                {
                    frames.Add(frame);
                }
            }

            return frames;
        }

        public void Dispose()
        {
            foreach (IDisposable each in new IDisposable[] { Client, Accepted, _proxy, _wire, _pod })
            {
                each.Dispose();
            }
        }
    }
}
