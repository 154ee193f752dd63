using System.IO.Pipelines;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>The private connection of one downstream connection to one cluster.</summary>
internal sealed class RedisUpstream(string cluster, IDuplexPipe pipe)
{
    public RespReplyScanner Replies = new(RespLimitsOptions.Default);
    public FrameHead Reply;

    /// <summary>A flush that was begun and not yet awaited.</summary>
    public ValueTask<FlushResult> Flushing;

    public string Cluster { get; } = cluster;

    public PipeReader Input { get; } = pipe.Input;

    public PipeWriter Output { get; } = pipe.Output;

    /// <summary>Whether bytes were written since the last flush.</summary>
    public bool IsDirty { get; set; }

    /// <summary>Whether the sending half was closed; the writer must not be touched again.</summary>
    public bool IsSent { get; set; }

    /// <summary>Whether <see cref="Flushing"/> is still to be awaited.</summary>
    public bool HasFlush { get; set; }

    /// <summary>Takes the result of a flush that completed at once.</summary>
    public void TakeFlush()
    {
        if (HasFlush)
        {
            HasFlush = false;
            _ = Flushing.Result;
        }
    }
}
