using MeshL4.Architecture.Tests.Reading;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Architecture.Tests;

/// <summary>The size budgets: medians and 90th percentiles are printed for the reader, the hard limits fail.</summary>
public class SizeTests(ITestOutputHelper output)
{
    private const int FileLimit = 500;
    private const int MethodLimit = 80;

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    [InlineData("bench")]
    [InlineData("samples")]
    public void Files_EveryOne_IsAtMost500Lines(string folder)
    {
        (string Name, int Lines)[] files =
            [.. Repository.SourceFiles(folder).Select(static path => (Repository.Relative(path), File.ReadLines(path).Count()))];

        Print($"{folder}: files", files, budgetMedian: 80, budgetNinety: 250);
        files.Where(static file => file.Lines > FileLimit).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    [InlineData("bench")]
    [InlineData("samples")]
    public void Methods_EveryOne_IsAtMost80Lines(string folder)
    {
        (string Name, int Lines)[] methods =
        [
            .. Repository.SourceFiles(folder).SelectMany(SourceMembers.In)
                .Select(static member => ($"{Repository.Relative(member.File)}:{member.Line} {member.Declaration}", member.Lines)),
        ];

        Print($"{folder}: methods", methods, budgetMedian: 10, budgetNinety: null);
        methods.Where(static method => method.Lines > MethodLimit).ShouldBeEmpty();
    }

    private void Print(string title, (string Name, int Lines)[] items, int budgetMedian, int? budgetNinety)
    {
        items.ShouldNotBeEmpty();
        (string Name, int Lines)[] sorted = [.. items.OrderBy(static item => item.Lines)];
        int median = sorted[sorted.Length / 2].Lines;
        int ninety = sorted[Math.Min(sorted.Length - 1, sorted.Length * 9 / 10)].Lines;
        string budget = budgetNinety is { } limit ? $"{budgetMedian}/{limit}" : $"{budgetMedian}/-";
        output.WriteLine($"{title}: {sorted.Length}, median/90 % {median}/{ninety} lines (budget {budget}), longest:");
        foreach ((string name, int lines) in sorted.Reverse().Take(5))
        {
            output.WriteLine($"  {lines,4} {name}");
        }
    }
}
