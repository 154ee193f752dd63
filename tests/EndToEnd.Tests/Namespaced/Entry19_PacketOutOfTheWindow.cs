using System.Net;
using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// Entry 19: a packet out of the window is of no connection to connection tracking, so it is not translated and reaches the pod as it
/// came; there nobody has such a connection, and the reset that answers it ends the one that it seems to belong to. drop-invalid drops
/// it, under each of the names that the flag goes by. Where nothing is translated it finds its socket, which ignores it.
/// </summary>
public class Entry19_PacketOutOfTheWindow
{
    private const int Port = 7100;
    private const int Rounds = 20;
    private const uint FarAway = 0x20000000;

    [Theory]
    [InlineData(Pod.Ip, "REDIRECT", "", false)]
    [InlineData(Pod.Ip6, "REDIRECT", "", false)]
    [InlineData(Pod.Ip, "REDIRECT", "--drop-invalid", true)]
    [InlineData(Pod.Ip6, "REDIRECT", "--drop-invalid", true)]
    [InlineData(Pod.Ip, "REDIRECT", "DROP_INVALID=true", true)]
    [InlineData(Pod.Ip, "REDIRECT", "INVALID_DROP=true", true)]
    [InlineData(Pod.Ip, "REDIRECT", "--drop-invalid --force-iptables-binary=legacy", true)]
    [InlineData(Pod.Ip, "TPROXY", "", true)]
    [InlineData(Pod.Ip6, "TRANSPARENT", "", true)]
    public void Inbound_PacketOutOfTheWindow_EndsNoConnectionWhereItIsDropped(string address, string mode, string setting, bool survives)
    {
        using Pod pod = new();
        string[] words = setting.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        pod.Exec(["env", .. words.Where(w => w[0] != '-'), Path.Combine(AppContext.BaseDirectory, "meshl4-init"), "-b", "*", "-m", mode, "--verify=off", "--dual-stack", .. words.Where(w => w[0] == '-')]);
        using Backend app = new("app", pod.Name, Port, address: "::");
        using Sidecar proxy = Sidecar.Start(Inbound(address.Contains(':'), mode != "REDIRECT"), pod.Name, capabilities: mode == "REDIRECT" ? null : "net_admin");
        using var wire = new OutsideWire(pod);
        using Call call = Call.To(Port, address, pod.Outside);
        Survives(call, wire, new IPEndPoint(IPAddress.Parse(address), Port)).ShouldBe(survives);
    }

    private static bool Survives(Call call, OutsideWire wire, IPEndPoint server)
    {
        Frame opened = wire.ReadUntil(f => f.Source.Equals(server) && f.Destination.Equals(call.Local) && f.Flags == (Frame.Syn | Frame.Ack))[^1];
        (uint sent, uint received) = (opened.Acknowledged, opened.Sequence + 1);
        try
        {
            for (int i = 0; i < Rounds; i++)
            {
                string word = $"{i:00}";
                if (call.Ask(word) is not string answer)
                {
                    return false;
                }

                answer.ShouldBe($"app {word}");
                (sent, received) = (sent + 3, received + 7);

                // Its acknowledgement is right: the number of the reset that answers it will be too.
                wire.Send(new Frame(Transports.Tcp, call.Local, server, Frame.Ack, sent + FarAway, received));
            }

            return true;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return false;
        }
    }

    private static Boot Inbound(bool v6, bool transparent)
    {
        string how = transparent ? ", transparent: true" : $", listener_filters: [{Boot.Inspector("original_dst")}]";
        return new Boot()
            .Listen("in", 15006, Boot.Chain(Boot.Tcp("app")), how, v6 ? "::" : "0.0.0.0")
            .With(Boot.Cluster("app", [v6 ? $"[::1]:{Port}" : $"127.0.0.1:{Port}"]));
    }
}
