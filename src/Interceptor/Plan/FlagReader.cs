using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Texts of flags to values. Collects every error, each naming the flag and the value; what was wrong reads as if it had not
/// been given.</summary>
internal sealed class FlagReader(IReadOnlyDictionary<string, FlagValues> given)
{
    private const string Everything = "*";
    private readonly List<string> _errors = [];

    /// <summary>All that was wrong so far.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>Was the flag given, with a value that is not empty?</summary>
    public bool Has(string flag) => Given(flag) is FlagValues v && v.Values.Any(value => value.Trim().Length > 0);

    /// <summary>Was the flag given, be it with an empty value?</summary>
    public bool IsNamed(string flag) => Given(flag) is not null;

    /// <summary>The flag as an error names it: with where its value came from.</summary>
    public string Origin(string flag) => Given(flag)?.Origin ?? $"--{flag}";

    /// <summary>Adds an error that is about several flags.</summary>
    public void Refuse(string error)
    {
        // A flag that two options look at is read twice.
        if (!_errors.Contains(error))
        {
            _errors.Add(error);
        }
    }

    /// <summary>One value, read by <paramref name="read"/>, which gives null for what it refuses.</summary>
    public T One<T>(string flag, T fallback, Func<string, T?> read, string why)
        where T : struct
    {
        if (!Has(flag))
        {
            return fallback;
        }

        FlagValues v = Given(flag)!;
        if (read(v.Last) is T value)
        {
            return value;
        }

        Refuse(v, v.Last, why);
        return fallback;
    }

    /// <summary>Every entry of a list, read by <paramref name="read"/>, which gives null for what it refuses.</summary>
    public IReadOnlyList<T> Each<T>(string flag, Func<string, T?> read, string why)
        where T : struct
    {
        if (Given(flag) is not FlagValues v)
        {
            return [];
        }

        var values = new List<T>();
        foreach (string entry in v.Entries)
        {
            if (read(entry) is T value)
            {
                values.Add(value);
            }
            else
            {
                Refuse(v, entry, why);
            }
        }

        return values;
    }

    /// <summary>A port.</summary>
    public int Port(string flag, int fallback) =>
        One(flag, fallback, t => EntryParser.TryPort(t, out int port) ? port : null, "not a port (1 to 65535)");

    /// <summary>A time.</summary>
    public TimeSpan Duration(string flag, TimeSpan fallback) => One(flag, fallback,
        t => EntryParser.TryDuration(t, out TimeSpan duration) ? duration : null,
        "not a duration (as 500ms, 5s or 1m30s; more than nothing, at most an hour)");

    /// <summary>Ports and ranges of ports.</summary>
    public PortSet Ports(string flag) => new(Each<PortRange>(flag, t => EntryParser.TryPortRange(t, out PortRange range) ? range : null,
        "not a port or range of ports (1 to 65535, as 80 or 8000-8010)"));

    /// <summary>Ports and ranges of ports, or "*".</summary>
    public PortChoice PortsOrAll(string flag) => IsEverything(flag) ? new(true, new PortSet([])) : new(false, Ports(flag));

    /// <summary>Address blocks.</summary>
    public IReadOnlyList<IPNetwork> Blocks(string flag) => Each<IPNetwork>(flag, t => EntryParser.TryBlock(t, out IPNetwork block) ? block : null,
        "not an address block (as 10.0.0.0/8 or 2001:db8::/32)");

    /// <summary>Address blocks, or "*".</summary>
    public CidrChoice BlocksOrAll(string flag) => IsEverything(flag) ? new(true, []) : new(false, Blocks(flag));

    /// <summary>The loopback block.</summary>
    public IPNetwork Loopback(string flag, IPNetwork fallback) => One<IPNetwork>(flag, fallback,
        t => EntryParser.TryBlock(t, out IPNetwork b) && b.PrefixLength >= 8 && IPAddress.IsLoopback(b.BaseAddress)
            && b.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? b : null,
        "not a block inside 127.0.0.0/8");

    /// <summary>Addresses of servers.</summary>
    public IReadOnlyList<IPAddress> Addresses(string flag) =>
        [.. Each<IPNetwork>(flag, t => EntryParser.TryAddress(t, out IPNetwork a) ? a : null, "not an address").Select(a => a.BaseAddress).Distinct()];

    /// <summary>Numeric ids.</summary>
    public IReadOnlyList<uint> Ids(string flag, IReadOnlyList<uint> fallback)
    {
        IReadOnlyList<uint> ids = Each<uint>(flag, t => EntryParser.TryId(t, out uint id) ? id : null, "not a numeric id (0 to 4294967294)");
        return ids.Count == 0 ? fallback : [.. ids.Distinct()];
    }

    /// <summary>Groups by id or name.</summary>
    public IReadOnlyList<uint> Groups(string flag, SystemFiles files) =>
        [.. Each(flag, t => EntryParser.TryId(t, out uint id) ? id : files.Group(t), "no group of this name, and not an id").Distinct()];

    /// <summary>Groups, or null for "*", which is also what is meant when nothing is given.</summary>
    public IReadOnlyList<uint>? GroupsOrAll(string flag, SystemFiles files) => !Has(flag) || IsEverything(flag) ? null : Groups(flag, files);

    /// <summary>Names of interfaces.</summary>
    public IReadOnlyList<string> Interfaces(string flag)
    {
        if (Given(flag) is not FlagValues v)
        {
            return [];
        }

        foreach (string entry in v.Entries.Where(e => !EntryParser.IsInterface(e)))
        {
            Refuse(v, entry, "not an interface name");
        }

        return [.. v.Entries.Distinct()];
    }

    /// <summary>Exclusions for users: values of their own, parted by semicolons, for commas are inside.</summary>
    public IReadOnlyList<UserPortExclusion> UserExclusions(string flag)
    {
        var exclusions = new List<UserPortExclusion>();
        foreach (string entry in (Given(flag)?.Values ?? []).SelectMany(v => v.Split(';', StringSplitOptions.RemoveEmptyEntries)).Select(e => e.Trim()))
        {
            if (UserExclusionParser.TryParse(entry, out UserPortExclusion? exclusion))
            {
                exclusions.Add(exclusion);
            }
            else
            {
                Refuse(Given(flag)!, entry, "not PROTOCOLS:PORTS:UIDS (as tcp:22,8000-8010:1000-1999; the first, or both, may be left out)");
            }
        }

        return exclusions;
    }

    /// <summary>One of some words, in either case; null when not given.</summary>
    public string? OneOf(string flag, params string[] allowed)
    {
        if (!Has(flag))
        {
            return null;
        }

        FlagValues v = Given(flag)!;
        string? word = allowed.FirstOrDefault(a => a.Equals(v.Last, StringComparison.OrdinalIgnoreCase));
        if (word is null)
        {
            Refuse(v, v.Last, $"must be {string.Join(" or ", allowed)}");
        }

        return word;
    }

    /// <summary>A text as it is; null when not given.</summary>
    public string? Text(string flag) => Has(flag) ? Given(flag)!.Last : null;

    /// <summary>true or false.</summary>
    public bool Switch(string flag, bool fallback = false) => One(flag, fallback, EntryParser.Switch, "must be true or false (or 1, 0, t, f)");

    /// <summary>The entries of a list as they were given.</summary>
    public IEnumerable<string> Entries(string flag) => Given(flag)?.Entries ?? [];

    private bool IsEverything(string flag)
    {
        if (Given(flag) is not FlagValues v || !v.Entries.Contains(Everything))
        {
            return false;
        }

        if (v.Entries.Count() > 1)
        {
            Refuse(v, string.Join(',', v.Values), "'*' already means everything and must stand alone");
        }

        return true;
    }

    private FlagValues? Given(string flag) => given.TryGetValue(flag, out FlagValues? values) && values.Values.Count > 0 ? values : null;

    private void Refuse(FlagValues v, string value, string why) => Refuse($"{v.Origin} '{value}': {why}");
}
