using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Where a decoder is: a field path, and the collector that takes what is wrong there. Decoding goes on after an error.</summary>
internal readonly struct DecodeScope(IssueCollector issues, FieldPath path, string? resource = null, string? origin = null)
{
    public DecodeScope(IssueCollector issues, string path, string? resource = null, string? origin = null)
        : this(issues, path.Length == 0 ? FieldPath.Root : FieldPath.Root.Field(path), resource, origin)
    {
    }

    /// <summary>Full path of the field, for example <c>static_resources.clusters[0].connect_timeout</c>.</summary>
    public string Path => path.ToString();

    /// <summary>The same place, with issues charged to <paramref name="name"/> (<c>Listener/name</c>).</summary>
    public DecodeScope Within(string name) => new(issues, path, name, origin);

    /// <summary>Scope of the member <paramref name="field"/> (its proto name).</summary>
    public DecodeScope Field(string field) => new(issues, path.Field(field), resource, origin);

    /// <summary>Scope of element <paramref name="index"/> of the repeated member <paramref name="field"/>.</summary>
    public DecodeScope Item(string field, int index) => new(issues, path.Item(field, index), resource, origin);

    /// <summary>The resource cannot be used.</summary>
    public void Error(string message) => issues.Add(new ConfigIssue(IssueSeverity.Error, Path, message, null, resource, origin));

    /// <summary>The resource is used, with what <paramref name="message"/> says.</summary>
    public void Warn(string message) => issues.Add(new ConfigIssue(IssueSeverity.Warning, Path, message, null, resource, origin));

    /// <summary>As <see cref="Warn"/>, at the first of several places of one resource of which the same is to be said.</summary>
    public void WarnOnce(string message) => issues.AddOnce(new ConfigIssue(IssueSeverity.Warning, Path, message, null, resource, origin));

    /// <summary>
    /// A duration of the API as a time span; null when it is not set or wrong. Longer than 10 years is taken as 10 years
    /// (control planes write 292 years for "never"); negative is an error.
    /// </summary>
    public TimeSpan? Duration(string field, Duration? value)
    {
        if (value is null)
        {
            return null;
        }

        if (value.Seconds < 0 || value.Nanos < 0 || value.Nanos > 999_999_999)
        {
            Field(field).Error($"duration of {value.Seconds} s and {value.Nanos} ns is not valid: it must not be negative");
            return null;
        }

        return value.Seconds >= LongestSeconds
            ? TimeSpan.FromSeconds(LongestSeconds)
            : TimeSpan.FromTicks((value.Seconds * TimeSpan.TicksPerSecond) + (value.Nanos / 100));
    }

    /// <summary>As <see cref="Duration"/>, and zero is an error too.</summary>
    public TimeSpan? PositiveDuration(string field, Duration? value)
    {
        TimeSpan? duration = Duration(field, value);
        if (duration != TimeSpan.Zero)
        {
            return duration;
        }

        Field(field).Error("must be greater than zero");
        return null;
    }

    private const long LongestSeconds = 10L * 365 * 24 * 3600;
}
