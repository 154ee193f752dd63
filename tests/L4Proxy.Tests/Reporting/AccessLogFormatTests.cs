using System.Text.Json;
using System.Text.RegularExpressions;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Shouldly;
using Xunit;
using static MeshL4.L4Proxy.Tests.Reporting.ReportingSamples;

namespace MeshL4.L4Proxy.Tests.Reporting;

public sealed class AccessLogFormatTests
{
    private static ConnectionRecord Finished()
    {
        ConnectionRecord record = Record(new CountingReporter());
        record.Complete();
        return record;
    }

    [Fact]
    public void IstioDefault_RelayedConnection_IsTheKnownTcpLine()
    {
        string line = Regex.Replace(Text(AccessLogFormat.IstioDefault, Finished()), @"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]", "[T]");

        line = Regex.Replace(line, @"12 34 \d+ -", "12 34 D -");
        line.ShouldBe(
            "[T] \"- - -\" 0 - - - \"-\" 12 34 D - \"-\" \"-\" \"-\" \"-\" \"10.1.0.9:6379\" outbound|6379||redis.ns.svc "
            + "10.0.0.5:50000 10.9.0.1:6379 10.0.0.5:40000 redis.example -\n");
    }

    [Fact]
    public void IstioDefault_FailedConnect_ShowsFlagsDetailsAndReason()
    {
        ConnectionRecord record = Record(new CountingReporter());
        record.Fail(ResponseFlags.UF | ResponseFlags.URX, EndedBy.Upstream, "connect_failed");
        record.UpstreamFailure = "connection refused";
        record.Complete();

        Text(AccessLogFormat.IstioDefault, record).ShouldContain("\" 0 UF,URX - connect_failed \"connection refused\" 12 34 ");
    }

    [Theory]
    [InlineData("%RESPONSE_FLAGS%", "-")]
    [InlineData("%%%BYTES_SENT%%%", "%34%")]
    [InlineData("%REQUESTED_SERVER_NAME:5%", "redis")]
    [InlineData("%REQ(:PATH?X):3% %RESPONSE_CODE_DETAILS% %PROTOCOL%", "- - -")]
    [InlineData("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.5:40000")]
    [InlineData("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%", "10.0.0.5 6379")]
    [InlineData("%UPSTREAM_REQUEST_ATTEMPT_COUNT% %CONNECTION_ID% %FILTER_CHAIN_NAME%", "1 7 chain-a")]
    [InlineData("%UPSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_RECEIVED%", "12 34")]
    [InlineData("%DOWNSTREAM_PEER_URI_SAN% %DYNAMIC_METADATA(a:b)% %FILTER_STATE(x)% %ENVIRONMENT(NOT_SET_ANYWHERE)%", "- - - -")]
    [InlineData("%MESHL4_ENDED_BY%", "both")]
    public void Write_Operator_GivesItsValue(string format, string expected) => Text(format, Finished()).ShouldBe(expected);

    [Fact]
    public void StartTime_WithPattern_FollowsStrftime()
    {
        ConnectionRecord record = Finished();
        DateTime start = record.StartTime.UtcDateTime;

        Text("%START_TIME(%Y/%m/%d %H:%M:%S.%3f %z)%", record).ShouldBe($"{start:yyyy/MM/dd HH:mm:ss.fff} +0000");
        Text("%START_TIME(%s)%", record).ShouldBe($"{record.StartTime.ToUnixTimeSeconds()}");
        Text("%START_TIME(%3s)%", record).ShouldBe($"{record.StartTime.ToUnixTimeMilliseconds()}");
        Text("%START_TIME(%9f)%", record).ShouldBe($"{start.Ticks % TimeSpan.TicksPerSecond:0000000}00");
    }

    [Theory]
    [InlineData("ab %BYTES_SENTT%", "unknown command operator: '%BYTES_SENTT%' at position 3")]
    [InlineData("%", "malformed command operator at position 0")]
    [InlineData("x%REQ(:PATH", "malformed command operator at position 1")]
    [InlineData("%BYTES_SENT:99999999999%", "malformed command operator at position 0")]
    [InlineData("%START_TIME(%Q)%", "unknown time specifier '%Q': '%START_TIME%' at position 0")]
    [InlineData("%START_TIME(%)%", "unknown time specifier '%': '%START_TIME%' at position 0")]
    public void TryCompile_WrongFormat_NamesOperatorAndPosition(string format, string expected)
    {
        AccessLogFormat.TryCompile(format, out AccessLogFormat? compiled, out string error).ShouldBeFalse();

        compiled.ShouldBeNull();
        error.ShouldStartWith(expected);
    }

    [Fact]
    public void Line_UntypedJson_IsStringsWithDashForUnset() =>
        Line(new("/x", null, [new("bytes", "%BYTES_SENT%"), new("flags", "%RESPONSE_FLAGS%"), new("mix", "a %BYTES_RECEIVED% b")]), Finished())
            .ShouldBe("{\"bytes\":\"34\",\"flags\":\"-\",\"mix\":\"a 12 b\"}\n");

    [Fact]
    public void Line_TypedJson_KeepsNumbersAndNull() =>
        Line(new("/x", null, [new("bytes", "%BYTES_SENT%"), new("flags", "%RESPONSE_FLAGS%"), new("mix", "a %BYTES_RECEIVED% b")], true), Finished())
            .ShouldBe("{\"bytes\":34,\"flags\":null,\"mix\":\"a 12 b\"}\n");

    [Fact]
    public void TryCompile_WrongJsonField_NamesTheField()
    {
        AccessLogLine.TryCompile(new("/x", null, [new("good", "%BYTES_SENT%"), new("bad", "%NOPE%")]), out _, out string error).ShouldBeFalse();

        error.ShouldBe("bad: unknown command operator: '%NOPE%' at position 0");
    }

    [Theory]
    [InlineData("a\r\nb", "a\\r\\nb")]
    [InlineData("a\u001b[31mb", "a\\u001b[31mb")]
    [InlineData("a\"b\\c\t", "a\\\"b\\\\c\\t")]
    [InlineData("\0\u007f\u0085\u009b\u2028\u202e", "\\u0000\\u007f\\u0085\\u009b\\u2028\\u202e")]
    [InlineData("ok-\u00e9-\u4e2d-😀", "ok-\u00e9-\u4e2d-😀")]
    public void Write_HostileServerName_IsEscaped(string name, string expected)
    {
        ConnectionRecord record = Record(new CountingReporter());
        record.ServerName = name;
        record.Complete();

        Text("\"%REQUESTED_SERVER_NAME%\"", record).ShouldBe($"\"{expected}\"");
    }

    [Fact]
    public void Write_UnpairedSurrogate_IsEscaped()
    {
        ConnectionRecord record = Record(new CountingReporter());
        record.ServerName = "a" + (char)0xd800 + "b";
        record.Complete();

        Text("%REQUESTED_SERVER_NAME%", record).ShouldBe("a\\ud800b");
    }

    [Fact]
    public void Line_HostileServerNameInJson_StaysOneValidLineWithoutControls()
    {
        ConnectionRecord record = Record(new CountingReporter());
        record.ServerName = "\",\"admin\":\"1\r\n\u001b[2J\u007f\u0085\u009b\u2028\u202e\\" + (char)0xdc00;
        record.Complete();

        string line = Line(new("/x", null, [new("sni", "%REQUESTED_SERVER_NAME%")]), record);

        line.TrimEnd('\n').ShouldNotContain(static c => char.IsControl(c) || c == 0x2028 || c == 0x202e);
        using JsonDocument json = JsonDocument.Parse(line);
        json.RootElement.EnumerateObject().Count().ShouldBe(1);
        json.RootElement.GetProperty("sni").GetString()!.ShouldStartWith("\",\"admin\":\"1\r\n\u001b[2J");
    }
}
