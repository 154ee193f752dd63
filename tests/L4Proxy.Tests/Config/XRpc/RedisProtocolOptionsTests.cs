using System.Text;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Tests.Config.Decoding;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

/// <summary>Credentials of a cluster's Redis servers.</summary>
public class RedisProtocolOptionsTests
{
    [Theory]
    [InlineData("auth_password: {inline_string: p}", "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n")]
    [InlineData("auth_password: {inline_string: p}, auth_username: {inline_string: u}", "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n")]
    public void Login_OfACluster_IsWhatItsServersAreToldFirst(string options, string expected)
    {
        ClusterLogin login = Decode(options, out IssueCollector issues).ShouldNotBeNull();
        issues.Issues.ShouldBeEmpty();
        login.Codec.ShouldBe("redis");
        Encoding.UTF8.GetString(login.Requests.Preamble.Span).ShouldBe(expected);
        login.Requests.Replies.ShouldBe(1);
        login.ToString().ShouldNotContain("AUTH");
    }

    [Fact]
    public void Login_OfEqualBytes_IsEqual_SoThatItsConnectionsStay() =>
        Decode("auth_password: {inline_string: p}", out _).ShouldBe(Decode("auth_password: {inline_string: p}", out _));

    [Theory]
    [InlineData("auth_username: {inline_string: u}", "auth_password: is required with an auth_username")]
    [InlineData("auth_password: {filename: /nonexistent/password}", "auth_password.filename: cannot read")]
    [InlineData("auth_password: {inline_string: p}, credentials: [{auth_password: {inline_string: q}}]", "credentials")]
    [InlineData("aws_iam: {}", "aws_iam")]
    public void Login_ThatCannotBePresented_IsRefusedByName(string options, string expected)
    {
        Decode(options, out IssueCollector issues);
        issues.HasErrors.ShouldBeTrue();
        issues.Issues.ShouldContain(issue => issue.ToString().Contains(expected), string.Join('\n', issues.Issues));
    }

    private static ClusterLogin? Decode(string options, out IssueCollector issues)
    {
        (Cluster? cluster, issues) = Reading.Yaml<Cluster>($$"""
            name: c
            typed_extension_protocol_options:
              envoy.filters.network.redis_proxy: {'@type': type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions, {{options}}}
            """);
        return cluster is null ? null : RedisProtocolOptionsDecoder.Login(cluster, new DecodeScope(issues, ""));
    }
}
