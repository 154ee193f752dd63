using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>The route of a request, in the table that is current now.</summary>
internal static class RouteFinder
{
    /// <summary>Null when no route takes it.</summary>
    public static XRpcRouteSnapshot? Find<TCodec>(XRpcRouteTable table, in TCodec codec, in FrameView frame, ReadOnlySpan<byte> key)
        where TCodec : struct, IXRpcCodec<TCodec>
        => (table.Conditional.IsEmpty ? null : FindConditional(table, codec, frame, key)) ?? (key.IsEmpty || !table.HasPrefixes ? table.CatchAll : table.ByKey(key));

    /// <summary>Null when no route with a condition besides the key takes it.</summary>
    public static XRpcRouteSnapshot? FindConditional<TCodec>(XRpcRouteTable table, in TCodec codec, in FrameView frame, ReadOnlySpan<byte> key)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        foreach (XRpcRouteSnapshot route in table.Conditional)
        {
            if (TakesKey(route.Match, key, table.IgnoreCase) && TakesFrame(route.Match, codec, frame))
            {
                return route;
            }
        }

        return null;
    }

    /// <summary>Adds the conditional routes that take a frame, for a conversation that asks about keys of its own finding.</summary>
    public static void AddConditional<TCodec>(XRpcRouteTable table, in TCodec codec, in FrameView frame, List<XRpcRouteSnapshot> taking)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        foreach (XRpcRouteSnapshot route in table.Conditional)
        {
            if (TakesFrame(route.Match, codec, frame))
            {
                taking.Add(route);
            }
        }
    }

    /// <summary>Whether a key begins as a route wants it.</summary>
    public static bool TakesKey(XRpcMatchSnapshot match, ReadOnlySpan<byte> key, bool ignoreCase)
    {
        ReadOnlySpan<byte> prefix = match.KeyPrefix.Span;
        return prefix.IsEmpty || (key.Length >= prefix.Length
            && (ignoreCase ? System.Text.Ascii.EqualsIgnoreCase(key[..prefix.Length], prefix) : key.StartsWith(prefix)));
    }

    /// <summary>Whether a method is in a list of configuration (upper case; empty takes all). The codec's first name stands for all it has no name for.</summary>
    public static bool HasMethod<TCodec>(System.Collections.Immutable.ImmutableArray<string> methods, int method, in TCodec codec, in FrameView frame)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        if (methods.IsEmpty)
        {
            return true;
        }

        if (method > 0 && method < TCodec.Traits.Methods.Length)
        {
            return Contains(methods, TCodec.Traits.Methods[method]);
        }

        // Not one of the codec's own: the name is in the frame.
        int meta = TCodec.Traits.FindMeta("method");
        if (meta < 0)
        {
            return method == 0 && !TCodec.Traits.Methods.IsEmpty && Contains(methods, TCodec.Traits.Methods[0]);
        }

        return codec.TryMeta(frame, meta, out ReadOnlySpan<byte> name) && Contains(methods, name);
    }

    /// <summary>Whether a frame has a metadata value as a condition wants it.</summary>
    public static bool HasMetadata<TCodec>(XRpcMetadataMatch condition, in TCodec codec, in FrameView frame)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        int meta = TCodec.Traits.FindMeta(condition.Name);
        bool holds = meta >= 0 && codec.TryMeta(frame, meta, out ReadOnlySpan<byte> value) && (condition.Value is null || condition.Value(value));
        return holds != condition.Invert;
    }

    /// <summary>The called service; empty when the frame has none.</summary>
    public static ReadOnlySpan<byte> Service<TCodec>(in TCodec codec, in FrameView frame)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        int meta = TCodec.Traits.ServiceMeta;
        return meta >= 0 && codec.TryMeta(frame, meta, out ReadOnlySpan<byte> service) ? service : default;
    }

    private static bool TakesFrame<TCodec>(XRpcMatchSnapshot match, in TCodec codec, in FrameView frame)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        if (!HasMethod(match.Methods, frame.Head.Method, codec, frame) || (match.Service is { } service && !service(Service(codec, frame))))
        {
            return false;
        }

        foreach (XRpcMetadataMatch condition in match.Metadata)
        {
            if (!HasMetadata(condition, codec, frame))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Contains(System.Collections.Immutable.ImmutableArray<string> upper, string name)
    {
        foreach (string one in upper)
        {
            if (one.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Contains(System.Collections.Immutable.ImmutableArray<string> upper, ReadOnlySpan<byte> name)
    {
        foreach (string one in upper)
        {
            if (System.Text.Ascii.EqualsIgnoreCase(name, one))
            {
                return true;
            }
        }

        return false;
    }
}
