using System.Net;

namespace MeshL4.Interceptor.Plan;

/// <summary>What the machine's own files say of names: users, groups, name servers. A file that cannot be read says nothing.</summary>
/// <param name="Folder">"/etc", or a folder of a test.</param>
internal sealed record SystemFiles(string Folder = "/etc")
{
    /// <summary>The id of a user, from passwd; null when there is none of this name.</summary>
    public uint? User(string name) => Id("passwd", name);

    /// <summary>The id of a group, from group; null when there is none of this name.</summary>
    public uint? Group(string name) => Id("group", name);

    /// <summary>The name servers of resolv.conf that are addresses, in order.</summary>
    public IReadOnlyList<IPAddress> NameServers() =>
    [
        .. Lines("resolv.conf").Select(l => l.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            .Where(words => words is ["nameserver", _, ..])
            .Select(words => !words[1].StartsWith('[') && IPAddress.TryParse(words[1], out IPAddress? address) ? address : null)
            .OfType<IPAddress>()
            .Select(a => a.IsIPv4MappedToIPv6 ? a.MapToIPv4() : new IPAddress(a.GetAddressBytes()))
            .Distinct(),
    ];

    // Both files: name, password, id, and more, between colons.
    private uint? Id(string file, string name)
    {
        string[]? entry = Lines(file).Select(l => l.Split(':')).FirstOrDefault(parts => parts.Length > 2 && parts[0] == name);
        return entry is not null && EntryParser.TryId(entry[2], out uint id) ? id : null;
    }

    private string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(Path.Combine(Folder, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
