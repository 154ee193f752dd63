using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.Micro.Operations;

/// <summary>The two scanners of the RESP codec on what redis-benchmark sends and gets. Each returns the bytes taken.</summary>
internal sealed class RespOperations
{
    private static readonly byte[] Get = Encoding.ASCII.GetBytes("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n");
    private static readonly byte[] Set = Encoding.ASCII.GetBytes($"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$64\r\n{new string('v', 64)}\r\n");
    private static readonly byte[] Pipeline = [.. Enumerable.Repeat(Get, 16).SelectMany(static b => b)];
    private static readonly byte[] Value = Encoding.ASCII.GetBytes($"$64\r\n{new string('v', 64)}\r\n");
    private static readonly byte[] Values = [.. Enumerable.Repeat(Value, 16).SelectMany(static b => b)];

    private RespRequestScanner _requests = new(RespLimitsOptions.Default);
    private RespReplyScanner _replies = new(RespLimitsOptions.Default);

    /// <summary>One GET.</summary>
    public int RequestGet() => Requests(Get);

    /// <summary>One SET of 64 bytes.</summary>
    public int RequestSet() => Requests(Set);

    /// <summary>16 GETs that arrived together.</summary>
    public int RequestPipelineOf16() => Requests(Pipeline);

    /// <summary>One GET whose bytes come one at a time: the slow path.</summary>
    public int RequestGetByteByByte()
    {
        var head = default(RespRequestHead);
        int taken = 0;
        while (_requests.Scan(Get.AsSpan(taken, 1), ref head, out int consumed) == ScanStatus.More)
        {
            taken += consumed;
        }

        return taken + 1;
    }

    /// <summary>One bulk string of 64 bytes.</summary>
    public int ReplyValue() => Replies(Value);

    /// <summary>16 bulk strings that arrived together.</summary>
    public int ReplyPipelineOf16() => Replies(Values);

    private int Requests(ReadOnlySpan<byte> input)
    {
        var head = default(RespRequestHead);
        int taken = 0;
        while (taken < input.Length && _requests.Scan(input[taken..], ref head, out int consumed) == ScanStatus.Done)
        {
            taken += consumed;
        }

        return taken;
    }

    private int Replies(ReadOnlySpan<byte> input)
    {
        var head = default(FrameHead);
        int taken = 0;
        while (taken < input.Length && _replies.Scan(input[taken..], ref head, out int consumed) == ScanStatus.Done)
        {
            taken += consumed;
        }

        return taken;
    }
}
