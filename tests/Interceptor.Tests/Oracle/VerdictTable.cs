using MeshL4.TestKit.Laboratory;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>What one rule set did with every packet of <see cref="PacketTable"/>: a cell for each row and owner, one letter a port.</summary>
/// <remarks>Letters: <c>.</c> left alone, <c>o</c> the proxy's outbound port, <c>i</c> its inbound port, <c>d</c> its DNS port, <c>?</c>
/// some other socket, <c>r</c> refused, <c>-</c> no answer. A datagram that came out where the letter says, but whose answer did not come
/// back, has the letter in upper case (<c>!</c> for left alone).</remarks>
internal sealed class VerdictTable
{
    private const string Letters = ".oid?r-";
    private const string Unanswered = "!OID?r-";

    private readonly Dictionary<(string Row, string Owner), string> _cells = [];

    /// <summary>Sends every packet through the rules that the laboratory's pod has.</summary>
    public static VerdictTable Measure(PacketLaboratory laboratory)
    {
        Probe[] probes = [.. PacketTable.Rows.SelectMany(PacketTable.Probes)];
        IEnumerator<Landing> landing = laboratory.Send(probes).GetEnumerator();
        return Fill((_, _, _) =>
        {
            landing.MoveNext();
            return (landing.Current.Answered ? Letters : Unanswered)[(int)landing.Current.Verdict];
        });
    }

    /// <summary>A table whose letters a function gives, for row, owner and port.</summary>
    public static VerdictTable Fill(Func<PacketRow, PacketOwner, int, char> letter)
    {
        var table = new VerdictTable();
        foreach (PacketRow row in PacketTable.Rows)
        {
            foreach (PacketOwner owner in row.Owners)
            {
                table._cells[(row.Label, owner.Label)] = string.Concat(PacketTable.Ports.Select(p => letter(row, owner, p)));
            }
        }

        return table;
    }

    /// <summary>Letters for the ports, in order.</summary>
    public string this[PacketRow row, PacketOwner owner] => _cells[(row.Label, owner.Label)];

    /// <summary>One line a row in the words of the committed file: owners with equal cells together, the largest company as "*".</summary>
    public string Line(PacketRow row)
    {
        IGrouping<string, PacketOwner>[] groups = [.. row.Owners.GroupBy(o => this[row, o])];
        IGrouping<string, PacketOwner> most = groups.MaxBy(g => g.Count())!;
        IEnumerable<string> others = groups.Where(g => g != most).Select(g => $"{string.Join(',', g.Select(o => o.Label))}={g.Key}");
        return string.Join(' ', [$"*={most.Key}", .. others]);
    }

    /// <summary>Reads a line of <see cref="Line"/> back.</summary>
    public void Read(PacketRow row, string line)
    {
        string[][] groups = [.. line.Split(' ').Select(g => g.Split('='))];
        foreach (PacketOwner owner in row.Owners)
        {
            string[] group = groups.FirstOrDefault(g => g[0].Split(',').Contains(owner.Label)) ?? groups.First(g => g[0] == "*");
            _cells[(row.Label, owner.Label)] = group[1];
        }
    }

    /// <summary>Every cell in which two tables differ: "row owner: ours / theirs".</summary>
    public IReadOnlyList<string> Differences(VerdictTable other)
    {
        return
        [
            .. from row in PacketTable.Rows
               from owner in row.Owners
               where this[row, owner] != other[row, owner]
               select $"{row.Label} {owner.Label}: {this[row, owner]} / {other[row, owner]}",
        ];
    }
}
