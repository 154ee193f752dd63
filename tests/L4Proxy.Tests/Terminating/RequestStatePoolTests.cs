using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public class RequestStatePoolTests
{
    [Fact]
    public void Return_OfManyLongBuffers_KeepsABoundOfBytes()
    {
        var pool = new RequestStatePool<RespCodec>();
        RequestState<RespCodec>[] states = [.. Enumerable.Range(0, 1000).Select(_ => pool.Rent())];
        foreach (RequestState<RespCodec> state in states)
        {
            state.Capture(new byte[60_000], long.MaxValue);
        }

        foreach (RequestState<RespCodec> state in states)
        {
            pool.Return(state);
        }

        pool.HeldBytes.ShouldBeInRange(7 * 1024 * 1024, 8 * 1024 * 1024);
        Enumerable.Range(0, 1000).Sum(_ => (long)pool.Rent().BufferBytes).ShouldBeLessThanOrEqualTo(8 * 1024 * 1024);
        pool.HeldBytes.ShouldBe(0);
    }
}
