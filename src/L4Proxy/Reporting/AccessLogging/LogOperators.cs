using System.Collections.Frozen;
using System.Net;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>
/// The command operators of Envoy's access log by name. Those of HTTP and TLS are known and unset for a plain connection,
/// so that one format serves both; a name that is nowhere here is an error of the configuration.
/// </summary>
internal static class LogOperators
{
    private static readonly FrozenDictionary<string, LogOperator> ByName = Plain().Concat(Addresses()).ToFrozenDictionary();

    private static readonly FrozenSet<string> NeverSet = FrozenSet.Create(
        "REQ", "RESP", "TRAILER", "PROTOCOL", "RESPONSE_CODE_DETAILS", "RESPONSE_DURATION", "RESPONSE_TX_DURATION",
        "REQUEST_DURATION", "REQUEST_TX_DURATION", "COMMON_DURATION", "ROUNDTRIP_DURATION", "REQUEST_HEADERS_BYTES",
        "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES", "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_HEADER_BYTES_RECEIVED",
        "DOWNSTREAM_HEADER_BYTES_SENT", "DOWNSTREAM_HEADER_BYTES_RECEIVED", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "ROUTE_NAME",
        "VIRTUAL_CLUSTER_NAME", "VIRTUAL_HOST_NAME", "DYNAMIC_METADATA", "CLUSTER_METADATA", "UPSTREAM_METADATA", "METADATA",
        "FILTER_STATE", "UPSTREAM_FILTER_STATE", "UPSTREAM_PROTOCOL", "UPSTREAM_CONNECTION_ID", "STREAM_ID", "TRACE_ID", "SPAN_ID",
        "LOCAL_REPLY_BODY", "QUERY_PARAM", "QUERY_PARAMS", "PATH", "CUSTOM_FLAGS", "UNIQUE_ID", "TLS_JA3_FINGERPRINT",
        "TLS_JA4_FINGERPRINT", "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_PEER_DNS_SAN", "DOWNSTREAM_PEER_IP_SAN",
        "DOWNSTREAM_PEER_EMAIL_SAN", "DOWNSTREAM_PEER_OTHERNAME_SAN", "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_LOCAL_DNS_SAN",
        "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_EMAIL_SAN", "DOWNSTREAM_LOCAL_OTHERNAME_SAN", "DOWNSTREAM_PEER_SUBJECT",
        "DOWNSTREAM_LOCAL_SUBJECT", "DOWNSTREAM_PEER_ISSUER", "DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_TLS_CIPHER",
        "DOWNSTREAM_TLS_VERSION", "DOWNSTREAM_PEER_SERIAL", "DOWNSTREAM_PEER_FINGERPRINT_256", "DOWNSTREAM_PEER_FINGERPRINT_1",
        "DOWNSTREAM_PEER_CERT", "DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_CERT_V_END", "DOWNSTREAM_PEER_CHAIN_SERIALS",
        "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
        "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_ISSUER", "UPSTREAM_TLS_SESSION_ID", "UPSTREAM_TLS_CIPHER", "UPSTREAM_TLS_VERSION",
        "UPSTREAM_PEER_CERT", "UPSTREAM_PEER_CERT_V_START", "UPSTREAM_PEER_CERT_V_END", "UPSTREAM_PEER_URI_SAN",
        "UPSTREAM_PEER_DNS_SAN", "UPSTREAM_PEER_IP_SAN", "UPSTREAM_LOCAL_URI_SAN", "UPSTREAM_LOCAL_DNS_SAN",
        "UPSTREAM_LOCAL_IP_SAN", "UPSTREAM_LOCAL_SUBJECT");

    /// <summary>Finds an operator; false puts the reason into <paramref name="error"/>.</summary>
    public static bool TryFind(string name, string? argument, out LogOperator found, out string error)
    {
        error = "";
        found = static _ => LogValue.Unset;
        switch (name)
        {
            case "START_TIME":
                return TryTime(argument, static record => record.StartTime, out found, out error);
            case "EMIT_TIME":
                return TryTime(argument, static record => record.StartTime + record.Duration, out found, out error);
            case "ENVIRONMENT":
                LogValue variable = LogValue.Of(argument is { Length: > 0 } ? Environment.GetEnvironmentVariable(argument) : null);
                found = _ => variable;
                return true;
        }

        if (ByName.TryGetValue(name, out LogOperator? plain))
        {
            found = plain;
            return true;
        }

        error = "unknown command operator";
        return NeverSet.Contains(name);
    }

    private static bool TryTime(string? pattern, Func<ConnectionRecord, DateTimeOffset> time, out LogOperator found, out string error)
    {
        bool known = TimeFormat.TryCompile(string.IsNullOrEmpty(pattern) ? TimeFormat.Default : pattern, out TimeFormat format, out error);
        found = record => LogValue.Of(format.Format(time(record)));
        return known;
    }

    private static Dictionary<string, LogOperator> Plain()
    {
        LogValue hostname = LogValue.Of(Environment.MachineName);
        return new Dictionary<string, LogOperator>(StringComparer.Ordinal)
        {
            ["BYTES_RECEIVED"] = static r => LogValue.Of(r.BytesReceived),
            ["BYTES_SENT"] = static r => LogValue.Of(r.BytesSent),
            ["DOWNSTREAM_WIRE_BYTES_RECEIVED"] = static r => LogValue.Of(r.BytesReceived),
            ["DOWNSTREAM_WIRE_BYTES_SENT"] = static r => LogValue.Of(r.BytesSent),
            ["UPSTREAM_WIRE_BYTES_RECEIVED"] = static r => LogValue.Of(r.ConnectTime is null ? 0 : r.BytesSent),
            ["UPSTREAM_WIRE_BYTES_SENT"] = static r => LogValue.Of(r.ConnectTime is null ? 0 : r.BytesReceived),
            ["DURATION"] = static r => LogValue.Of((long)r.Duration.TotalMilliseconds),
            ["UPSTREAM_CONNECTION_POOL_READY_DURATION"] =
                static r => r.ConnectTime is { } time ? LogValue.Of((long)time.TotalMilliseconds) : LogValue.Unset,

            // Envoy prints 0 for a connection that is not HTTP, not "-"; Istio's TCP lines are known by it.
            ["RESPONSE_CODE"] = static _ => LogValue.Of(0),
            ["RESPONSE_FLAGS"] = static r => LogValue.Of(ResponseFlagNames.Short(r.Flags)),
            ["RESPONSE_FLAGS_LONG"] = static r => LogValue.Of(ResponseFlagNames.Long(r.Flags)),
            ["UPSTREAM_REQUEST_ATTEMPT_COUNT"] = static r => LogValue.Of(r.ConnectAttempts),
            ["CONNECTION_ID"] = static r => LogValue.Of(r.Id),
            ["CONNECTION_TERMINATION_DETAILS"] = static r => LogValue.Of(r.Details),
            ["UPSTREAM_TRANSPORT_FAILURE_REASON"] = static r => LogValue.Of(r.UpstreamFailure),
            ["UPSTREAM_CLUSTER"] = static r => LogValue.Of(r.ClusterName),
            ["UPSTREAM_CLUSTER_RAW"] = static r => LogValue.Of(r.ClusterName),
            ["REQUESTED_SERVER_NAME"] = static r => LogValue.Of(r.ServerName),
            ["FILTER_CHAIN_NAME"] = static r => LogValue.Of(r.Chain?.Name),
            ["ACCESS_LOG_TYPE"] = static r => LogValue.Of(r.Listener.IsUdp ? "UdpSessionEnd" : "TcpConnectionEnd"),
            ["HOSTNAME"] = _ => hostname,

            // Ours: Envoy has no operator for what was sniffed nor for the side that ended the connection.
            ["MESHL4_ENDED_BY"] = static r => LogValue.Of(EndedByName(r.EndedBy)),
            ["MESHL4_LISTENER"] = static r => LogValue.Of(r.Listener.Name),
            ["MESHL4_TRANSPORT_PROTOCOL"] = static r => LogValue.Of(r.TransportProtocol),
            ["MESHL4_APPLICATION_PROTOCOLS"] = static r => LogValue.Of(r.ApplicationProtocols),
        };
    }

    private static Dictionary<string, LogOperator> Addresses()
    {
        Dictionary<string, LogOperator> operators = new(StringComparer.Ordinal)
        {
            ["UPSTREAM_HOST"] = static r => LogValue.Of(AddressText.WithPort(r.UpstreamHost)),
            ["UPSTREAM_HOST_NAME"] = static r => LogValue.Of(AddressText.WithPort(r.UpstreamHost)),
        };
        AddAddress(operators, "UPSTREAM_LOCAL", static r => r.UpstreamLocal);
        AddAddress(operators, "UPSTREAM_REMOTE", static r => r.UpstreamHost);
        AddAddress(operators, "DOWNSTREAM_LOCAL", static r => r.Local);
        AddAddress(operators, "DOWNSTREAM_REMOTE", static r => r.Remote ?? r.DirectRemote);
        AddAddress(operators, "DOWNSTREAM_DIRECT_REMOTE", static r => r.DirectRemote);
        return operators;
    }

    private static void AddAddress(Dictionary<string, LogOperator> operators, string prefix, Func<ConnectionRecord, EndPoint?> of)
    {
        operators[prefix + "_ADDRESS"] = r => LogValue.Of(AddressText.WithPort(of(r)));
        operators[prefix + "_ADDRESS_WITHOUT_PORT"] = r => LogValue.Of(AddressText.WithoutPort(of(r)));
        operators[prefix + "_PORT"] = r => of(r) is IPEndPoint ip ? LogValue.Of(ip.Port) : LogValue.Unset;
    }

    private static string EndedByName(EndedBy by) => by switch
    {
        EndedBy.Downstream => "downstream",
        EndedBy.Upstream => "upstream",
        EndedBy.Proxy => "proxy",
        _ => "both",
    };
}
