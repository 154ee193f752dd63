using System.Text.RegularExpressions;
using System.Xml.Linq;
using MeshL4.Architecture.Tests.Reading;
using Shouldly;
using Xunit;

namespace MeshL4.Architecture.Tests;

/// <summary>Who may know whom: by project references, and by the names that the source text mentions.</summary>
public partial class LayerTests
{
    [Theory]
    [InlineData("Interceptor", "")]
    [InlineData("XRpc", "")]
    [InlineData("Init", "Interceptor")]
    [InlineData("L4Proxy", "Interceptor,XRpc,Protos")]
    [InlineData("L4Proxy/Config/Protos", "")]
    public void Project_References_OnlyItsLowerLayers(string project, string allowed)
    {
        XDocument file = XDocument.Load(Path.Combine(Repository.Root, "src", project, $"{Path.GetFileName(project)}.csproj"));

        IEnumerable<string> references = file.Descendants("ProjectReference")
            .Select(static reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

        references.Except(allowed.Split(',')).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Interceptor", "")]
    [InlineData("XRpc", "")]
    [InlineData("Init", "Interceptor")]
    [InlineData("L4Proxy", "Interceptor,XRpc")]
    public void Source_Mentions_OnlyItsOwnAndLowerLayers(string project, string allowed)
    {
        HashSet<string> known = [project, .. allowed.Split(',')];

        IEnumerable<string> foreign =
            from path in Repository.SourceFiles($"src/{project}")
            from Match match in OwnNamespace().Matches(SourceText.WithoutLiterals(File.ReadAllText(path)))
            where !known.Contains(match.Groups[1].Value)
            select $"{Repository.Relative(path)}: {match.Value}";

        foreign.ShouldBeEmpty();
    }

    [Fact]
    public void XRpc_Source_TouchesNoSocketAndNoFile() =>
        Mentions("src/XRpc", ForeignToCodecs()).ShouldBeEmpty();

    [Fact]
    public void LibcDeclarations_AllOfThem_AreInInterceptorLinux() =>
        Mentions("src", NativeImport())
            .Where(static place => !place.StartsWith("src/Interceptor/Linux/", StringComparison.Ordinal)).ShouldBeEmpty();

    [Fact]
    public void TypeNames_InAllSource_SayWhatTheyDo() =>
        Mentions("src", VagueName()).Concat(Mentions("tests", VagueName())).Concat(Mentions("bench", VagueName())).Concat(Mentions("samples", VagueName())).ShouldBeEmpty();

    [Fact]
    public void Solution_ListsEveryProject()
    {
        string solution = File.ReadAllText(Path.Combine(Repository.Root, "MeshL4.sln")).Replace('\\', '/');

        IEnumerable<string> projects = ((string[])["src", "tests", "bench", "samples"])
            .SelectMany(static folder => Repository.Files(folder, "*.csproj")).Select(Repository.Relative);

        projects.Where(project => !solution.Contains($"\"{project}\"", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static IEnumerable<string> Mentions(string folder, Regex pattern) =>
        from path in Repository.SourceFiles(folder)
        from Match match in pattern.Matches(SourceText.WithoutLiterals(File.ReadAllText(path)))
        select $"{Repository.Relative(path)}: {match.Value}";

    [GeneratedRegex(@"\bMeshL4\.(\w+)")]
    private static partial Regex OwnNamespace();

    [GeneratedRegex(@"\b(LibraryImport|DllImport)\b")]
    private static partial Regex NativeImport();

    [GeneratedRegex(@"\bSystem\.(Net\.Sockets|IO\.Pipelines)\b|\b(Socket|NetworkStream|FileStream)\b|\bFile\.")]
    private static partial Regex ForeignToCodecs();

    [GeneratedRegex(@"\b(class|struct|record|interface)\s+\w*(Manager|Helpers?|Utils?|Utilities|Common)\b")]
    private static partial Regex VagueName();
}
