using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public sealed class RouteFinderTests
{
    private static readonly int Get = RespCodec.Traits.Methods.IndexOf("get");

    /// <summary>0 is the number of commands that the codec has no name for.</summary>
    [Fact]
    public void Other_TakesMethodsWithoutANameOfTheirOwn_AndNoOthers()
    {
        Has("OTHER", 0).ShouldBeTrue();
        Has("OTHER", Get).ShouldBeFalse();
        Has("GET", Get).ShouldBeTrue();
        Has("GET", 0).ShouldBeFalse();
        Has("OTHER", RespCodec.Traits.Methods.Length).ShouldBeFalse();
    }

    private static bool Has(string name, int method) => RouteFinder.HasMethod([name], method, default(RespCodec), default);
}
