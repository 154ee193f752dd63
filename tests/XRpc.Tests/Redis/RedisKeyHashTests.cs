using System.Text;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisKeyHashTests
{
    // The examples of the Redis Cluster specification.
    [Theory]
    [InlineData("{user1000}.following", "user1000")]
    [InlineData("foo{}{bar}", "foo{}{bar}")]
    [InlineData("foo{{bar}}zap", "{bar")]
    [InlineData("foo{bar}{zap}", "bar")]
    [InlineData("foo{bar", "foo{bar")]
    [InlineData("}x{", "}x{")]
    [InlineData("", "")]
    public void HashTag_AsTheSpecificationHasIt_IsTheFirstNonEmptyBrace(string key, string expected) =>
        Encoding.Latin1.GetString(RedisKeyHash.HashTag(Encoding.Latin1.GetBytes(key))).ShouldBe(expected);
}
