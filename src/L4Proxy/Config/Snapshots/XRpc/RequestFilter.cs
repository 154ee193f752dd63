using System.Collections.Immutable;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary>Which requests a log takes: Envoy's access log filters, those of them that mean something for a request of any protocol.</summary>
internal abstract record RequestFilter
{
    /// <summary>Whether a request is logged.</summary>
    /// <param name="duration">How long it took.</param>
    /// <param name="flags">Why it did not simply end.</param>
    public abstract bool Takes(TimeSpan duration, ResponseFlags flags);

    /// <summary>By whole milliseconds.</summary>
    public sealed record Duration(RequestComparison Comparison, uint Milliseconds) : RequestFilter
    {
        /// <inheritdoc/>
        public override bool Takes(TimeSpan duration, ResponseFlags flags)
        {
            long took = (long)duration.TotalMilliseconds;
            return Comparison switch
            {
                RequestComparison.AtLeast => took >= Milliseconds,
                RequestComparison.AtMost => took <= Milliseconds,
                _ => took == Milliseconds,
            };
        }
    }

    /// <summary>Those with one of the flags.</summary>
    public sealed record Flags(ResponseFlags Any) : RequestFilter
    {
        /// <inheritdoc/>
        public override bool Takes(TimeSpan duration, ResponseFlags flags) => (flags & Any) != 0;
    }

    /// <summary>A share of them.</summary>
    public sealed record Chance(Share Share) : RequestFilter
    {
        /// <inheritdoc/>
        public override bool Takes(TimeSpan duration, ResponseFlags flags) => Share.Draw(Random.Shared);
    }

    /// <summary>What all filters take.</summary>
    public sealed record Every(ImmutableArray<RequestFilter> Filters) : RequestFilter
    {
        /// <inheritdoc/>
        public override bool Takes(TimeSpan duration, ResponseFlags flags)
        {
            foreach (RequestFilter one in Filters)
            {
                if (!one.Takes(duration, flags))
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>What one of the filters takes.</summary>
    public sealed record Either(ImmutableArray<RequestFilter> Filters) : RequestFilter
    {
        /// <inheritdoc/>
        public override bool Takes(TimeSpan duration, ResponseFlags flags)
        {
            foreach (RequestFilter one in Filters)
            {
                if (one.Takes(duration, flags))
                {
                    return true;
                }
            }

            return false;
        }
    }
}

/// <summary>How a duration is compared.</summary>
internal enum RequestComparison
{
    Equal,
    AtLeast,
    AtMost,
}
