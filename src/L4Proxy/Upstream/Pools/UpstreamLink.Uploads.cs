namespace MeshL4.L4Proxy.Upstream.Pools;

/// <content>Requests that are passed on while they come from their client.</content>
internal abstract partial class UpstreamLink<TCodec>
{
    /// <summary>The server cannot answer yet, and it is not its fault: the client still sends.</summary>
    public bool AwaitsRest => PinnedTo is { IsSendingRest: true };

    /// <summary>Stopwatch ticks of the last part of a request that is sent in parts; 0 for none.</summary>
    protected long RestSentAt { get; private set; }

    /// <summary>Sends the next part of a request, at the end of the turn. The time of its answer counts from the last.</summary>
    public void AppendRest(ReadOnlySpan<byte> bytes)
    {
        Output.Append(bytes);
        MarkDirty();
        RestSentAt = Owner.Now();
        LastReadMs = Owner.Loop.NowMilliseconds;
    }
}
