using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>What of resolv.conf(5) matters here.</summary>
/// <param name="Servers">In order of preference.</param>
/// <param name="Search">The first search domain in lower case; empty for none.</param>
internal sealed record ResolverFile(ImmutableArray<IPEndPoint> Servers, string Search)
{
    private const int Port = 53;
    private const int MostServers = 8;

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

    /// <summary>Lines that mean nothing here are left out; of several search or domain lines the last counts.</summary>
    public static ResolverFile Parse(string text)
    {
        var servers = ImmutableArray.CreateBuilder<IPEndPoint>();
        string search = "";
        foreach (string line in text.Split('\n'))
        {
            string[] words = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words is ["nameserver", { } server, ..] && IPAddress.TryParse(server, out IPAddress? address) && servers.Count < MostServers)
            {
                servers.Add(new IPEndPoint(address, Port));
            }
            else if (words is ["search" or "domain", { } domain, ..])
            {
                search = domain.Trim('.').ToLowerInvariant();
            }
        }

        return new ResolverFile(servers.ToImmutable(), search);
    }
}
