using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>What of resolv.conf(5) matters here.</summary>
/// <param name="Servers">In order of preference.</param>
/// <param name="Search">The first search domain in lower case; empty for none.</param>
internal sealed record ResolverFile(ImmutableArray<IPEndPoint> Servers, string Search)
{
    /// <summary>All search domains, in order and in lower case.</summary>
    public ImmutableArray<string> SearchDomains { get; init; } = [];

    /// <summary>A name with fewer dots is tried with the search domains first.</summary>
    public int Ndots { get; init; } = 1;

    private const int Port = 53;
    private const int MostServers = 8;

    /// <summary>As in libc.</summary>
    private const int MostDots = 15;

    /// <summary>Reads it; nothing is there when it cannot be read, and <paramref name="problem"/> says why.</summary>
    public static ResolverFile Read(string path, out string? problem)
    {
        problem = null;
        try
        {
            return Parse(File.ReadAllText(path));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            problem = failure.Message;
            return new ResolverFile([], "");
        }
    }

    /// <summary>The names that libc asks for in place of <paramref name="host"/>, one after the other, until one is there.</summary>
    public IEnumerable<string> Candidates(string host)
    {
        if (host.EndsWith('.'))
        {
            return [host[..^1]];
        }

        IEnumerable<string> expanded = SearchDomains.Select(domain => host + "." + domain);
        return host.Count(static c => c == '.') >= Ndots ? [host, .. expanded] : [.. expanded, host];
    }

    /// <summary>Lines that mean nothing here are left out; of several search or domain lines the last counts.</summary>
    public static ResolverFile Parse(string text)
    {
        var servers = ImmutableArray.CreateBuilder<IPEndPoint>();
        string[] search = [];
        int dots = 1;
        foreach (string line in text.Split('\n'))
        {
            string[] words = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words is ["nameserver", { } server, ..] && IPAddress.TryParse(server, out IPAddress? address) && servers.Count < MostServers)
            {
                servers.Add(new IPEndPoint(address, Port));
            }
            else if (words is ["search" or "domain", _, ..])
            {
                search = [.. words[1..].Take(words[0] == "domain" ? 1 : words.Length).Select(static domain => domain.Trim('.').ToLowerInvariant())];
            }
            else if (words is ["options", ..] && words.LastOrDefault(static word => word.StartsWith("ndots:", StringComparison.Ordinal)) is { } option
                && int.TryParse(option["ndots:".Length..], out int asked) && asked >= 0)
            {
                dots = Math.Min(asked, MostDots);
            }
        }

        return new ResolverFile(servers.ToImmutable(), search.FirstOrDefault("")) { SearchDomains = [.. search.Where(static one => one.Length > 0)], Ndots = dots };
    }
}
