using System.Buffers;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// Runs the listener filters that look at bytes, in the order proxy_protocol, tls_inspector, http_inspector. One per
/// connection; not thread-safe. Each <see cref="Read"/> gets everything received so far from the first byte; nothing is
/// consumed before a verdict, and then only <see cref="SniffResult.BytesToSkip"/>.
/// </summary>
/// <param name="filters">The listener's filters.</param>
/// <param name="destinationPort">Port the connection was going to; a PROXY header's destination replaces it for <c>filter_disabled</c>.</param>
/// <param name="budget">Byte limits.</param>
internal sealed class Sniffer(ListenerFilters filters, int destinationPort, SniffBudget budget)
{
    private ProxyHeader? _proxy;
    private bool _proxyDone = !RunsProxy(filters, destinationPort);
    private bool _tlsDone = !filters.TlsInspector;
    private bool _tlsBegun;
    private TlsHelloScanner _tls = new(budget.TlsBytes);
    private HttpPrefaceScanner _http = new(budget.HttpBytes);
    private int _port = destinationPort;

    public Sniffer(ListenerFilters filters, int destinationPort)
        : this(filters, destinationPort, SniffBudget.Default)
    {
    }

    /// <summary>
    /// Whether bytes are needed at all for a connection to this port. False: take <see cref="SniffResult.Raw"/> at
    /// once, because waiting would hang a client whose server speaks first.
    /// </summary>
    public static bool NeedsBytes(ListenerFilters filters, int destinationPort) =>
        RunsProxy(filters, destinationPort) || RunsTls(filters, destinationPort) || RunsHttp(filters, destinationPort);

    /// <summary>Looks at all bytes so far.</summary>
    public SniffVerdict Read(in ReadOnlySequence<byte> bytes)
    {
        if (!_proxyDone && ReadProxy(bytes) is { } early)
        {
            return early;
        }

        ReadOnlySequence<byte> data = _proxy is null ? bytes : bytes.Slice(_proxy.Length);
        if (!_tlsDone && RunsTls(filters, _port) && ReadTls(data) is { } tls)
        {
            return tls;
        }

        _tlsDone = true;
        return RunsHttp(filters, _port) ? ReadHttp(data) : Done(SniffResult.Raw);
    }

    /// <summary>
    /// The verdict when no more bytes will be looked at: the client ended its direction, or the timer ran out on a
    /// listener that continues. Unfinished HTTP is plain bytes then; an unfinished PROXY header or ClientHello is refused.
    /// </summary>
    public SniffVerdict Finish(in ReadOnlySequence<byte> bytes)
    {
        SniffVerdict verdict = Read(bytes);
        if (verdict.Status != SniffStatus.NeedMore)
        {
            return verdict;
        }

        if (!_proxyDone && (!bytes.IsEmpty || !filters.AllowWithoutProxyProtocol))
        {
            return SniffVerdict.Reject("proxy_protocol_header_missing");
        }

        return !_tlsDone && _tlsBegun
            ? SniffVerdict.Reject("tls_client_hello_incomplete")
            : Done(SniffResult.Raw);
    }

    private static bool RunsProxy(ListenerFilters filters, int port) =>
        filters.ProxyProtocol && filters.ProxyProtocolDisabled?.Contains(port) != true;

    private static bool RunsTls(ListenerFilters filters, int port) =>
        filters.TlsInspector && filters.TlsInspectorDisabled?.Contains(port) != true;

    private static bool RunsHttp(ListenerFilters filters, int port) =>
        filters.HttpInspector && filters.HttpInspectorDisabled?.Contains(port) != true;

    private SniffVerdict? ReadProxy(in ReadOnlySequence<byte> bytes)
    {
        ProxySniff sniff = ProxyProtocolHeader.Read(bytes, filters.AllowProxyV1, filters.AllowProxyV2);
        switch (sniff.Status)
        {
            case ProxySniffStatus.NeedMore:
                return SniffVerdict.NeedMore;
            case ProxySniffStatus.Invalid:
                return SniffVerdict.Reject(sniff.Reason!);
            case ProxySniffStatus.Absent when !filters.AllowWithoutProxyProtocol:
                return SniffVerdict.Reject("proxy_protocol_header_missing");
        }

        _proxy = sniff.Header;
        _port = _proxy?.Destination?.Port ?? _port;
        _proxyDone = true;
        return null;
    }

    private SniffVerdict? ReadTls(in ReadOnlySequence<byte> data)
    {
        TlsSniff sniff = _tls.Read(data);
        _tlsBegun = !data.IsEmpty;
        return sniff.Status switch
        {
            TlsSniffStatus.NeedMore => SniffVerdict.NeedMore,
            TlsSniffStatus.Invalid => SniffVerdict.Reject(sniff.Reason!),
            TlsSniffStatus.Tls => SniffVerdict.Done(new SniffResult
            {
                TransportProtocol = SniffResult.Tls,
                ServerName = sniff.ServerName,
                ApplicationProtocols = sniff.ApplicationProtocols,
                Proxy = _proxy,
            }),
            _ => null,
        };
    }

    private SniffVerdict ReadHttp(in ReadOnlySequence<byte> data) => _http.Read(data) switch
    {
        HttpSniff.NeedMore => SniffVerdict.NeedMore,
        HttpSniff.TooLong => SniffVerdict.Reject("http_request_line_too_long"),
        HttpSniff.Http10 => Done(SniffResult.Http10),
        HttpSniff.Http11 => Done(SniffResult.Http11),
        HttpSniff.Http2 => Done(SniffResult.Http2),
        _ => Done(SniffResult.Raw),
    };

    private SniffVerdict Done(SniffResult result) =>
        SniffVerdict.Done(_proxy is null ? result : result with { Proxy = _proxy });
}
