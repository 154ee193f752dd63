using System.Text.RegularExpressions;
using MeshL4.Architecture.Tests.Reading;
using Shouldly;
using Xunit;

namespace MeshL4.Architecture.Tests;

/// <summary>What the documents promise to their reader.</summary>
public partial class DocumentTests
{
    [Fact]
    public void Readme_IsShortAndNamesTheTwoCommandsInItsFirstScreen()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Root, "README.md"));

        lines.Length.ShouldBeLessThanOrEqualTo(120);
        string firstScreen = string.Join('\n', lines.Take(24));
        firstScreen.ShouldContain("./demo.sh");
        firstScreen.ShouldContain("./test.sh");
    }

    [Fact]
    public void Links_InEveryDocument_LeadSomewhere()
    {
        IEnumerable<string> broken =
            from path in Repository.Files(".", "*.md")
            from Match match in Link().Matches(CodeBlock().Replace(File.ReadAllText(path), ""))
            let target = match.Groups[1].Value
            where !target.Contains("://", StringComparison.Ordinal) && !Leads(path, target)
            select $"{Repository.Relative(path)}: {target}";

        broken.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("LICENSE", "Apache License")]
    [InlineData("SECURITY.md", "report")]
    [InlineData("CHANGELOG.md", "## [Unreleased]")]
    [InlineData("ARCHITECTURE.md", "Where does a change go")]
    public void Document_ThatAReaderExpects_IsThere(string name, string content) =>
        File.ReadAllText(Path.Combine(Repository.Root, name)).ShouldContain(content);

    [Fact]
    public void DecisionRecords_AllOfThem_AreNumberedWithoutGaps()
    {
        IEnumerable<string> numbers = Repository.Files("docs/adr", "*.md").Select(static path => Path.GetFileName(path)[..4]).Order();

        string[] actual = [.. numbers];
        actual.ShouldBe(Enumerable.Range(1, actual.Length).Select(static number => $"{number:D4}"));
    }

    private static bool Leads(string document, string target)
    {
        string[] parts = target.Split('#', 2);
        string path = parts[0].Length == 0 ? document : Path.Combine(Path.GetDirectoryName(document)!, parts[0]);
        if (!Path.Exists(path))
        {
            return false;
        }

        return parts.Length == 1 || File.ReadLines(path).Where(static line => line.StartsWith('#')).Any(line => Anchor(line) == parts[1]);
    }

    /// <summary>The anchor that Git hosts make of a heading: lower case, punctuation dropped, spaces to hyphens.</summary>
    private static string Anchor(string heading) =>
        Punctuation().Replace(heading.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"\[[^\]]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"```.*?```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex Punctuation();
}
