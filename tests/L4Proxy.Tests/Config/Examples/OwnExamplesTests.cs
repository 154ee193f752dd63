using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Examples;

/// <summary>Configurations in the shapes of Envoy's public examples, written for this project: each says at its head what becomes of it.</summary>
public sealed class OwnExamplesTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Config/Examples/Own");

    public static TheoryData<string> Files => [.. Directory.EnumerateFiles(Folder, "*.yaml").Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(Files))]
    public void Example_IsTakenOrNamesWhatItAsksFor_AsItsHeadSays(string name)
    {
        string file = Path.Combine(Folder, name);
        string[] head = [.. File.ReadLines(file).TakeWhile(static line => line.StartsWith("# ", StringComparison.Ordinal)).Select(static line => line[2..])];
        string[] expected = [.. Marked(head, "error: ")];
        string[] errors = ExampleVerdict.Issues(file, IssueSeverity.Error);
        string[] warnings = ExampleVerdict.Issues(file, IssueSeverity.Warning);

        (head.Contains("accepted") ^ expected.Length > 0).ShouldBeTrue("its head says either that it is accepted, or why not");
        errors.Length.ShouldBe(expected.Length, string.Join('\n', errors));
        expected.ShouldAllBe(reason => errors.Any(error => error.Contains(reason, StringComparison.Ordinal)), string.Join('\n', errors));
        Marked(head, "warning: ").ShouldAllBe(reason => warnings.Any(warning => warning.Contains(reason, StringComparison.Ordinal)), string.Join('\n', warnings));
    }

    private static IEnumerable<string> Marked(IEnumerable<string> head, string mark)
        => head.Where(line => line.StartsWith(mark, StringComparison.Ordinal)).Select(line => line[mark.Length..]);
}
