using MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using Denominator = MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3.FractionalPercent.Types.DenominatorType;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Shares of requests. There is no runtime to override a default: a runtime key is plain information.</summary>
internal static class ShareDecoder
{
    /// <summary>Everything when not set.</summary>
    public static Share Decode(FractionalPercent? fraction, DecodeScope scope)
    {
        if (fraction is null)
        {
            return Share.Everything;
        }

        ulong scale = fraction.Denominator switch
        {
            Denominator.TenThousand => 100,
            Denominator.Million => 1,
            _ => 10_000,
        };
        ulong millionths = fraction.Numerator * scale;
        if (millionths > Share.All)
        {
            scope.Field("numerator").Error($"{fraction.Numerator} is more than all of {fraction.Denominator}");
        }

        return new Share((uint)Math.Min(millionths, Share.All));
    }

    /// <summary>Everything when not set.</summary>
    public static Share Decode(Core.RuntimeFractionalPercent? fraction, DecodeScope scope) => Decode(fraction?.DefaultValue, scope.Field("default_value"));

    /// <summary><paramref name="missing"/> when not set.</summary>
    public static Share Decode(Percent? percent, Share missing, DecodeScope scope)
    {
        if (percent is null)
        {
            return missing;
        }

        if (percent.Value is < 0 or > 100 or double.NaN)
        {
            scope.Field("value").Error("must be between 0 and 100");
            return missing;
        }

        return new Share((uint)Math.Round(percent.Value * 10_000));
    }
}
