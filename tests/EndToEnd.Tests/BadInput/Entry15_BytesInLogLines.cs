using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 15: line ends, escapes and quotes of a client became lines of the log. In text and in JSON, of connections and of requests.</summary>
public sealed partial class Entry15_BytesInLogLines : IDisposable
{
    private const string FileLog = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

    /// <summary>Every operator that tells of something a peer says.</summary>
    private static readonly string[] Operators =
        ["REQUESTED_SERVER_NAME", "MESHL4_APPLICATION_PROTOCOLS", "MESHL4_TRANSPORT_PROTOCOL", "CONNECTION_TERMINATION_DETAILS", "FILTER_CHAIN_NAME", "UPSTREAM_TRANSPORT_FAILURE_REASON"];

    /// <summary>CR and LF, ESC, quotes, NUL and BEL, what is no UTF-8, what turns the direction of text, and what would end a JSON value.</summary>
    private static readonly string[] Names =
        ["GET\r\nforged", "\u001b[31mred", "\"quoted\" \\", "\0\u0007", "\u00ff\u00fe\u00c0\u0080", "\u00e2\u0080\u00ae", "x\", \"forged\": \"y", "' forged='1"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CommandWithControls_LeavesNoBytesInTheLogs()
    {
        using RedisFront front = RedisFront.Common(
            $", access_log: {Logs("connections")}, policies: {{request_log: {{sampling: {{numerator: 100}}, access_log: {Logs("requests")}}}}}", loops: 1);
        foreach (string name in Names)
        {
            using Call client = Call.To(front.Port);
            client.Send(RedisFront.Command(name, name));
            client.ReadLine().ShouldNotBeNull();
            client.Send(RedisFront.Command("AUTH", name, name));
            client.ReadLine().ShouldNotBeNull();
            client.Send(RedisFront.Command("CLIENT", "SETNAME", name));
            client.ReadLine().ShouldNotBeNull();
            front.Beside(() =>
            {
                client.Send("*1\r\n!" + name + "\r\n");
                client.ReadLine().ShouldNotBeNull();
            });
        }

        AreClean("connections", Names.Length);
        AreClean("requests", Names.Length);
        File.ReadAllLines(_folder.At("connections.text")).Count(static line => line.Contains("redis_protocol_error", StringComparison.Ordinal)).ShouldBe(Names.Length);
        IsClean(front.Proxy.Log.Replace("\n", "", StringComparison.Ordinal));
        front.Witness();
    }

    [Fact]
    public void ServerNameWithControls_IsRefused_AndAProtocolIsEscaped()
    {
        int port = Ports.Free();
        using Peer redis = Peer.Redis();
        string tcp = "{name: tcp, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: main}}";
        string listener = "{'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: tls, "
            + $"address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}, listener_filters: [{Boot.Inspector("tls_inspector")}], "
            + $"filter_chains: [{Boot.Chain(tcp)}], access_log: {Logs("hellos")}}}";
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Files(listeners: _folder.Write("lds.yaml", Boot.Resources("1", listener)))
            .With(Boot.Cluster("main", [redis.Address])));
        foreach (string hello in Names.Select(static name => Hello(name, "h2")).Concat(Names.Select(static name => Hello("good.example", name))))
        {
            using Call client = Call.To(port);
            client.Send(hello);
            client.EndSending();
            client.Ends().ShouldBeTrue();
        }

        AreClean("hellos", 2 * Names.Length);
        string text = File.ReadAllText(_folder.At("hellos.text"));
        text.Split("tls_server_name_characters").Length.ShouldBe(Names.Length + 1);
        text.Split("\"good.example\" ").Length.ShouldBe(Names.Length + 1);
        text.ShouldContain("\\u001b[31mred");
        text.ShouldContain("GET\\r\\nforged");
        proxy.Status("/ready").ShouldBe(200);
        IsClean(proxy.Log.Replace("\n", "", StringComparison.Ordinal));
    }

    /// <summary>What the codec gives the runtime as a method is a number of its own table, whatever the client wrote.</summary>
    [Fact]
    public void CommandWithControls_IsNoNameOfTheCodec()
    {
        foreach (string name in Names)
        {
            RespCodec codec = RespCodec.Start(Side.Downstream, CodecLimits.Default);
            var head = default(FrameHead);
            codec.Scan(Encoding.Latin1.GetBytes(RedisFront.Command(name)), ref head, out _).ShouldBe(ScanStatus.Done);
            RespCodec.Traits.Methods[head.Method].ShouldBe("other");
        }
    }

    /// <summary>Two access logs of one name: text with every operator between quotes, and JSON.</summary>
    private string Logs(string name)
    {
        string text = string.Concat(Operators.Select(static one => $"\\\"%{one}%\\\" ")) + "end\\n";
        string json = string.Join(", ", Operators.Select(static one => $"{one.ToLowerInvariant()}: '%{one}%'"));
        return $"[{{name: t, typed_config: {{'@type': {FileLog}, path: {_folder.At(name + ".text")}, log_format: {{text_format_source: {{inline_string: \"{text}\"}}}}}}}}, "
            + $"{{name: j, typed_config: {{'@type': {FileLog}, path: {_folder.At(name + ".json")}, log_format: {{json_format: {{{json}}}}}}}}}]";
    }

    /// <summary>As many lines as there were ends, each of them whole, and nothing in them that is not ours.</summary>
    private void AreClean(string name, int atLeast)
    {
        string[] Lines(string kind) => File.Exists(_folder.At(name + kind)) ? Encoding.Latin1.GetString(File.ReadAllBytes(_folder.At(name + kind))).Split('\n')[..^1] : [];
        Wait.Until(() => Lines(".text").Length >= atLeast && Lines(".json").Length >= atLeast, () => $"{Lines(".text").Length} and {Lines(".json").Length} lines of {name}");
        foreach (string line in Lines(".text"))
        {
            IsClean(line);
            TextLine().IsMatch(line).ShouldBeTrue(line);
        }

        foreach (string line in Lines(".json"))
        {
            IsClean(line);
            using JsonDocument parsed = JsonDocument.Parse(Encoding.Latin1.GetBytes(line));
            parsed.RootElement.EnumerateObject().Select(static member => member.Name).Order()
                .ShouldBe(Operators.Select(static one => one.ToLowerInvariant()).Order());
        }
    }

    private static void IsClean(string line)
    {
        line.ShouldAllBe(static letter => letter >= ' ' && letter != 0x7f, line);
        Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(line)).ShouldNotContain('\ufffd');
        Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(line)).ShouldNotContain('\u202e');
    }

    /// <summary>A ClientHello with a server name and one protocol of these bytes.</summary>
    private static string Hello(string name, string alpn)
    {
        static string Block(string text) => $"{(char)(text.Length >> 8)}{(char)(text.Length & 0xff)}{text}";
        string serverName = "\0\0" + Block(Block("\0" + Block(name)));
        string protocol = "\0\u0010" + Block(Block((char)alpn.Length + alpn));
        string body = "\u0003\u0003" + new string('r', 32) + "\0" + Block("\u0013\u0001") + "\u0001\0" + Block(serverName + protocol);
        return "\u0016\u0003\u0001" + Block("\u0001\0" + Block(body));
    }

    [GeneratedRegex("^(\"(?:[^\"\\\\]|\\\\.)*\" )*end$")]
    private static partial Regex TextLine();
}
