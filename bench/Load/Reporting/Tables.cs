using System.Globalization;
using MeshL4.Load.Cases;
using MeshL4.Load.Measuring;
using Spectre.Console;

namespace MeshL4.Load.Reporting;

/// <summary>The tables at the end of a run.</summary>
internal static class Tables
{
    /// <summary>Standard output; into a file or pipe wide enough for one line per row, and without colours.</summary>
    public static IAnsiConsole Console()
    {
        if (!System.Console.IsOutputRedirected)
        {
            return AnsiConsole.Console;
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = 140;
        return console;
    }

    /// <summary>One table per case: median, spread, and ratio to haproxy (or to the case's own pair).</summary>
    public static void WriteCase(IAnsiConsole console, CaseResult result)
    {
        var reference = result.Case.NoisePair?.Subject;
        var table = new Table { Title = new TableTitle(Markup.Escape($"{result.Case.Name}: {result.Case.What}")), Border = TableBorder.Simple };
        table.AddColumns("metric", "subject", "median", "min .. max", reference is null ? "ratio" : $"/ {reference}");
        foreach (var series in result.AllSeries)
        {
            foreach (var subject in series.Subjects)
            {
                table.AddRow(Row(series, subject, reference).Select(Markup.Escape).ToArray());
            }
        }

        console.Write(table);
    }

    /// <summary>All bars of the run with their outcome.</summary>
    public static void WriteBars(IAnsiConsole console, IEnumerable<CaseResult> results)
    {
        var table = new Table { Title = new TableTitle("bars"), Border = TableBorder.Simple };
        table.AddColumns("case", "what", "figure", "bar", "noise", "outcome");
        foreach (var result in results)
        {
            foreach (var verdict in result.Case.Bars.Select(bar => Verdict.Of(result, bar)))
            {
                table.AddRow(BarRow(result, verdict).Select(Markup.Escape).ToArray());
            }
        }

        console.Write(table);
    }

    private static string[] Row(Series series, string subject, string? reference)
    {
        var values = series.Of(subject)!;
        var ratio = reference is not null && series.Of(reference) is { } theirs
            ? Number(Statistics.Median(Statistics.PairwiseRatios(values, theirs)))
            : "";
        return [
            series.Metric, subject, $"{Number(Statistics.Median(values))} {series.Unit}",
            $"{Number(values.Min())} .. {Number(values.Max())}", ratio];
    }

    private static string[] BarRow(CaseResult result, Verdict verdict)
    {
        var bar = verdict.Bar;
        var unit = bar.Reference is null ? $" {result.Find(bar.Metric)?.Unit}" : "";
        return [
            result.Case.Name, $"{bar.Metric} of {bar.Subject}{(bar.Reference is null ? "" : $" / {bar.Reference}")}",
            double.IsNaN(verdict.Value) ? "-" : Number(verdict.Value) + unit, $"{(bar.AtLeast ? ">=" : "<=")} {Number(bar.Limit)}{unit}",
            verdict.Noise == 0 ? "" : $"{verdict.Noise.ToString("P1", CultureInfo.InvariantCulture)}", Word(verdict.Outcome)];
    }

    /// <summary>The outcome as people read it.</summary>
    public static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Met => "met",
        Outcome.WithinNoise => "within noise",
        Outcome.Missed => "missed",
        Outcome.TooNoisy => "too noisy to tell",
        _ => "not measured",
    };

    private static string Number(double value) => value.ToString(
        Math.Abs(value) >= 1000 ? "N0" : Math.Abs(value) >= 100 ? "0.0" : "0.000", CultureInfo.InvariantCulture);
}
