using System.Runtime.CompilerServices;
using System.Text;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>The committed verdicts of Istio's rule sets, by case and backend. Rows that all rule sets of a case leave alone are not
/// written.</summary>
internal static class OracleFile
{
    private static readonly string Heading = $"""
        # What Istio's golden rule sets did with real packets. Written by IstioOracleTests; letters are explained in VerdictTable.cs.
        # One letter a port, in this order: {string.Join(' ', PacketTable.Ports)}. Owners: {string.Join(' ', PacketTable.Owners.Select(o => o.Label))}; * is all others.
        # Rows that are missing from a case: every packet was left alone.

        """;

    /// <summary>Where the file is.</summary>
    public static string Path => Beside();

    /// <summary>All tables as text.</summary>
    public static string Write(IReadOnlyDictionary<(string Case, string Backend), VerdictTable> tables)
    {
        var text = new StringBuilder(Heading);
        foreach (string name in tables.Keys.Select(k => k.Case).Distinct())
        {
            text.Append('\n').Append('[').Append(name).Append("]\n");
            foreach (PacketRow row in PacketTable.Rows)
            {
                (string Backend, string Line)[] lines = [.. tables.Where(t => t.Key.Case == name).Select(t => (t.Key.Backend, t.Value.Line(row)))];
                bool agree = lines.All(l => l.Line == lines[0].Line);
                foreach ((string backend, string line) in agree ? [("both", lines[0].Line)] : lines)
                {
                    if (!agree || line != LeftAlone)
                    {
                        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{backend,-8} {row.Label,-30} {line}\n");
                    }
                }
            }
        }

        return text.ToString();
    }

    /// <summary>The committed tables.</summary>
    public static IReadOnlyDictionary<(string Case, string Backend), VerdictTable> Read()
    {
        var tables = new Dictionary<(string, string), VerdictTable>();
        Dictionary<string, PacketRow> rows = PacketTable.Rows.ToDictionary(r => r.Label);
        string name = "";
        foreach (string line in File.ReadLines(Path).Where(l => l.Length > 0 && l[0] != '#'))
        {
            if (line[0] == '[')
            {
                name = line[1..^1];
                IstioCase @case = IstioCase.All.Single(c => c.Name == name);
                foreach (string backend in new[] { IstioCase.Nft, IstioCase.Iptables }.Where(@case.Has))
                {
                    tables[(name, backend)] = VerdictTable.Fill((_, _, _) => '.');
                }

                continue;
            }

            string of = line[..9].Trim();
            foreach (string backend in of == "both" ? [IstioCase.Nft, IstioCase.Iptables] : new[] { of })
            {
                if (tables.TryGetValue((name, backend), out VerdictTable? table))
                {
                    table.Read(rows[line[9..40].Trim()], line[40..]);
                }
            }
        }

        return tables;
    }

    private static string LeftAlone => $"*={new string('.', PacketTable.Ports.Length)}";

    private static string Beside([CallerFilePath] string here = "") => System.IO.Path.Combine(System.IO.Path.GetDirectoryName(here)!, "istio-verdicts.txt");
}
