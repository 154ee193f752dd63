using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Requests that no one server answers have their line in the log too: split ones, those for all servers, the proxy's own answers, subscriptions.</summary>
public sealed class XRpcRequestLogTests : IDisposable
{
    private readonly Peer _one = Peer.Redis();
    private readonly Peer _two = Peer.Redis();
    private readonly TempFolder _folder = new();

    [Fact]
    public void EveryCommand_HasALine()
    {
        int port = Ports.Free();
        string log = "{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, "
            + $"path: {_folder.At("requests.log")}, log_format: {{text_format_source: {{inline_string: \"%CONNECTION_TERMINATION_DETAILS% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%\\n\"}}}}}}}}";
        string filter = Boot.XRpc("{name: m, forward: {cluster: ring}}", $", policies: {{request_log: {{access_log: [{log}]}}}}");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(filter))
            .With([Boot.Cluster("ring", [_one.Address, _two.Address], ", lb_policy: RING_HASH")]));
        using Call client = Call.To(port);
        foreach ((string command, int lines) in ((string, int)[])
            [
                ("SET k1 1", 1), ("DEL k1 k2 k3 k4 k5 k6 k7 k8", 1), ("MSET a 1 b 2 c 3 d 4 e 5 f 6", 1), ("DBSIZE", 1), ("PING", 1), ("MULTI", 1), ("SET k1 2", 1), ("EXEC", 2),
                ("SELECT 1", 1), ("SUBSCRIBE a", 6), ("UNSUBSCRIBE a", 6), ("INCR k1", 1),
            ])
        {
            string? answer = client.Ask(command);
            answer.ShouldNotBeNull().ShouldNotStartWith("-");
            for (int i = 1; i < lines; i++)
            {
                client.ReadLine();
            }
        }

        string[] expected =
        [
            "redis_set route=m response - ring", "redis_del route=m response - ring", "redis_mset route=m response - ring", "redis_dbsize route=m response - ring",
            "redis_ping route=- response - -", "redis_multi route=- response - -", "redis_set route=m response - ring", "redis_exec route=m response - ring",
            "redis_select route=m response - ring", "redis_subscribe route=m sent - ring", "redis_unsubscribe route=m sent - ring", "redis_incr route=m response - ring",
        ];
        string[] Lines() => File.Exists(_folder.At("requests.log")) ? File.ReadAllLines(_folder.At("requests.log")) : [];
        Wait.Until(() => Lines().Length >= expected.Length, "a line for each");
        Lines().ShouldBe(expected);
    }

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
        _folder.Dispose();
    }
}
