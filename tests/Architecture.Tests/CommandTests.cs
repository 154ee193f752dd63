using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using MeshL4.Architecture.Tests.Reading;
using Shouldly;
using Xunit;

namespace MeshL4.Architecture.Tests;

/// <summary>The commands and ports that the README names, held against the programs and the source.</summary>
[SupportedOSPlatform("linux")]
public partial class CommandTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));

    [Theory]
    [InlineData("meshl4-init", "Init")]
    [InlineData("meshl4-proxy", "L4Proxy")]
    public async Task Commands_NamedInReadme_AreInTheHelp(string program, string project)
    {
        string help = await RunAsync(project, program, "--help");

        IEnumerable<string> commands = ReadmeCommand().Matches(Readme)
            .Where(match => match.Groups[1].Value == program).Select(static match => match.Groups[2].Value).Distinct();

        commands.ShouldNotBeEmpty();
        commands.Where(command => !Regex.IsMatch(help, $@"\b{command}\b")).ShouldBeEmpty();
    }

    [Fact]
    public void Scripts_NamedInReadme_CanBeRun()
    {
        string[] scripts = [.. ReadmeScript().Matches(Readme).Select(static match => match.Groups[1].Value).Distinct()];

        scripts.Length.ShouldBeGreaterThanOrEqualTo(4);
        scripts.Where(static script => (File.GetUnixFileMode(Path.Combine(Repository.Root, script)) & UnixFileMode.UserExecute) == 0)
            .ShouldBeEmpty();
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("ARCHITECTURE.md")]
    public void Ports_NamedInDocument_AreInTheSource(string document)
    {
        string source = string.Concat(Repository.SourceFiles("src").Select(File.ReadAllText))
            + string.Concat(Repository.Files("deploy", "*.yaml").Select(File.ReadAllText));

        // 15020 and 15053 are kept free for others: nothing here may use them yet.
        IEnumerable<string> ports = Port().Matches(File.ReadAllText(Path.Combine(Repository.Root, document)))
            .Select(static match => match.Value).Distinct().Except(["15020", "15053"]);

        ports.ShouldNotBeEmpty();
        ports.Where(port => !source.Contains(port, StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static async Task<string> RunAsync(string project, string program, string argument)
    {
        // .../tests/Architecture.Tests/bin/<configuration>/<framework>/: the programs were built alike.
        string[] built = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..];
        string file = Path.Combine([Repository.Root, "src", project, "bin", .. built, $"{program}.dll"]);
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [file, argument]) { RedirectStandardOutput = true })!;
        string text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0);
        return text;
    }

    [GeneratedRegex(@"`(meshl4-init|meshl4-proxy) ([a-z]+)")]
    private static partial Regex ReadmeCommand();

    [GeneratedRegex(@"\./(\w+\.sh)")]
    private static partial Regex ReadmeScript();

    [GeneratedRegex(@"\b15\d{3}\b")]
    private static partial Regex Port();
}
