namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary><c>udp.PREFIX.*</c>: datagrams of one <c>udp_proxy</c>, kept by prefix across snapshots. Any thread may add.</summary>
internal sealed class UdpCounters(string prefix)
{
    private readonly MetricScope _scope = new("udp", "envoy_udp_prefix", prefix);

    /// <summary>Datagrams from clients that went on to an upstream.</summary>
    public long Received;

    /// <summary>Answers that went to clients.</summary>
    public long Sent;

    /// <summary>Datagrams from clients dropped because no session could be had; the access log has the reason.</summary>
    public long NoSession;

    /// <summary>Dropped: over the configured size.</summary>
    public long TooLong;

    /// <summary>Dropped: the kernel cut the control messages, or they did not say where the datagram was going.</summary>
    public long DestinationUnknown;

    /// <summary>Datagrams the kernel did not take on the way to the upstream.</summary>
    public long UpstreamSendErrors;

    /// <summary>Answers the kernel did not take on the way to the client.</summary>
    public long ClientSendErrors;

    /// <summary>Datagrams sent again, since the call that sent them first only fetched the ICMP error of an earlier one.</summary>
    public long SentAgain;

    /// <summary>Sockets open now that answer from an original destination.</summary>
    public long ReplySockets;

    /// <summary>Times such a socket could not be had.</summary>
    public long ReplySocketFailures;

    /// <summary>Datagrams from clients that went nowhere.</summary>
    public long Dropped =>
        Volatile.Read(ref NoSession) + Volatile.Read(ref TooLong) + Volatile.Read(ref DestinationUnknown) + Volatile.Read(ref UpstreamSendErrors);

    public void Collect(IMetricVisitor visitor)
    {
        visitor.Counter(_scope, "downstream_sess_rx_datagrams", Volatile.Read(ref Received));
        visitor.Counter(_scope, "downstream_sess_tx_datagrams", Volatile.Read(ref Sent));
        visitor.Counter(_scope, "downstream_sess_tx_errors", Volatile.Read(ref ClientSendErrors));
        visitor.Counter(_scope, "downstream_rx_datagram_dropped", Dropped);
        visitor.Counter(_scope, "dropped_no_session", Volatile.Read(ref NoSession));
        visitor.Counter(_scope, "dropped_too_long", Volatile.Read(ref TooLong));
        visitor.Counter(_scope, "dropped_destination_unknown", Volatile.Read(ref DestinationUnknown));
        visitor.Counter(_scope, "dropped_upstream_send_error", Volatile.Read(ref UpstreamSendErrors));
        visitor.Counter(_scope, "sent_again_after_icmp_error", Volatile.Read(ref SentAgain));
        visitor.Gauge(_scope, "reply_sockets", Volatile.Read(ref ReplySockets));
        visitor.Counter(_scope, "reply_socket_failures", Volatile.Read(ref ReplySocketFailures));
    }
}
