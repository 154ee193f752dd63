using System.Text;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RedisKeyHashTests
{
    // std::hash<std::string> of libstdc++ 12, which is what Envoy uses.
    [Theory]
    [InlineData("", 6142509188972423790UL)]
    [InlineData("a", 4993892634952068459UL)]
    [InlineData("key", 16490910142478989815UL)]
    [InlineData("12345678", 10113836418918046885UL)]
    [InlineData("123456789", 12315982496267331008UL)]
    [InlineData("user:1000:name", 16677053599296675516UL)]
    [InlineData("\u00ff", 14904248647013222923UL)]
    public void Of_Bytes_IsWhatTheCppLibraryGives(string key, ulong expected) =>
        RedisKeyHash.Of(Encoding.Latin1.GetBytes(key)).ShouldBe(expected);

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
