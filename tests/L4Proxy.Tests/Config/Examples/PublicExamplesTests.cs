using System.Runtime.CompilerServices;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Examples;

/// <summary>The public examples of Envoy and Istio load, or what is not supported in them is named. With MESHL4_WRITE_GOLDEN=1 the verdicts
/// are written anew.</summary>
public sealed class PublicExamplesTests
{
    [FactWithEnvoyExamples]
    public void Examples_EachOne_HasTheCommittedVerdict()
    {
        string text = ExampleVerdict.Table(Environment.GetEnvironmentVariable(FactWithEnvoyExamplesAttribute.Variable)!);
        if (Environment.GetEnvironmentVariable("MESHL4_WRITE_GOLDEN") == "1")
        {
            File.WriteAllText(Committed, Heading() + text);
        }

        (Heading() + text).ShouldBe(File.ReadAllText(Committed));
    }

    [Fact]
    public void Table_RefusesForNamedReasonsOnly()
    {
        string[] reasons = [.. File.ReadLines(Committed).Where(static line => line.StartsWith("    ", StringComparison.Ordinal))];
        reasons.ShouldNotBeEmpty();
        reasons.ShouldAllBe(static line => Reasons.Any(known => line.Contains(known, StringComparison.Ordinal)), "each is looked at by somebody before it is written down here");
    }

    /// <summary>Why an example may be refused: it asks for what this proxy does not do, and would be served wrongly without.</summary>
    private static readonly string[] Reasons =
    [
        "cannot be read, the running configuration stays", // a file beside it that its set-up would make
        "is not supported",
        "are not supported",
        "there is no filter chain", // a listener of which the dump has one chain of many
        "an EDS cluster needs a source of endpoints", // left out of the dump
    ];

    private static string Committed => Beside();

    /// <summary>The lines that say what was looked at: kept when the verdicts are written anew.</summary>
    private static string Heading()
        => string.Concat(File.ReadLines(Committed).TakeWhile(static line => line.Length == 0 || line[0] == '#').Select(static line => line + "\n"));

    private static string Beside([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "public-examples.txt");
}
