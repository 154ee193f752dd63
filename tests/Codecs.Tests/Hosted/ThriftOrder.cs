using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>How servers of <see cref="ThriftCodec{TOrder}"/> answer: the format leaves it to them.</summary>
internal interface IThriftOrder
{
    static abstract FrameOrder Value { get; }

    static abstract string Name { get; }
}

/// <summary>In any order, by the sequence number.</summary>
internal readonly struct AnyOrder : IThriftOrder
{
    public static FrameOrder Value => FrameOrder.Multiplexed;

    public static string Name => "thrift";
}

/// <summary>In the order of the calls.</summary>
internal readonly struct InOrder : IThriftOrder
{
    public static FrameOrder Value => FrameOrder.Fifo;

    public static string Name => "thrift-in-order";
}

/// <summary>One call at a time.</summary>
internal readonly struct OneByOne : IThriftOrder
{
    public static FrameOrder Value => FrameOrder.PingPong;

    public static string Name => "thrift-one-by-one";
}
