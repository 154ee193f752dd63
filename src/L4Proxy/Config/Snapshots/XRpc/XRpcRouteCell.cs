using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary>Compiles routes that are discovered as the proxy that asks for them takes them: its codec, its policies.</summary>
internal delegate XRpcRouteTable RouteCompiler(RouteConfig routes, DecodeScope scope);

/// <summary>
/// The routes a chain uses now. Hot-path code reads <see cref="Current"/> once a request; an update of the routes alone
/// is one write here, so that connections and requests in flight stay.
/// </summary>
/// <param name="routes">The first ones; of a proxy whose routes are discovered, those without any.</param>
/// <param name="compiler">Null for routes that stand in the proxy's own configuration.</param>
internal sealed class XRpcRouteCell(XRpcRouteTable routes, RouteCompiler? compiler = null)
{
    private volatile XRpcRouteTable _current = routes;
    private XRpcRouteTable _none = routes;
    private RouteCompiler? _compiler = compiler;
    private RouteConfig? _source;
    private XRpcRouteCell? _offered;

    /// <summary>Of the chain before, until the first routes are discovered; null for none.</summary>
    private XRpcRouteTable? _before;

    public XRpcRouteTable Current => _current;

    /// <summary>Their chain takes the place of another: rate limits that stay as they were are not full again.</summary>
    public void Replace(XRpcRouteCell before)
    {
        _current.Replace(before._current);
        _before = _compiler is null ? null : before._current;
    }

    /// <summary>Routes to use once the update that brings them is accepted.</summary>
    public void Offer(XRpcRouteCell routes) => _offered = routes;

    /// <summary>The update was accepted. Discovered routes are those they were, under the policies that it brought.</summary>
    public void TakeOffer()
    {
        if (_offered is not { } offered)
        {
            return;
        }

        (_offered, _compiler, _none) = (null, offered._compiler, offered._none);
        RouteConfig? source = _source;
        if (_compiler is null || source is null)
        {
            offered._current.Replace(_current);
            _current = offered._current;
            return;
        }

        _source = null;
        Discovered(source);
    }

    /// <summary>Whether these routes can be used here; errors go to the scope.</summary>
    public void Check(RouteConfig discovered, DecodeScope scope) => _compiler?.Invoke(discovered, scope);

    /// <summary>Uses the routes that came; null when they went. Nothing happens where they are those in use, or stand in the configuration.</summary>
    public void Discovered(RouteConfig? discovered)
    {
        if (_compiler is null || ReferenceEquals(_source, discovered))
        {
            return;
        }

        var issues = new IssueCollector();
        XRpcRouteTable table = discovered is null ? _none : _compiler(discovered, new DecodeScope(issues, ""));
        _source = discovered;
        table.Replace(_before ?? _current);
        _before = null;

        // Told when they came. Who asked later, with another codec, goes on without.
        _current = issues.HasErrors ? _none : table;
    }
}
