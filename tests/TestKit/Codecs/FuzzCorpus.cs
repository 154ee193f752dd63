using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>Inputs that once did harm, and edges worth keeping: a file with one a line, side and hex digits. Lines that begin with # are words.</summary>
/// <param name="path">The file; it need not be there.</param>
public sealed class FuzzCorpus(string path)
{
    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary><c>corpus/&lt;codec&gt;.txt</c> of the project whose build runs, beside its sources, so that what is kept can be committed.</summary>
    public static FuzzCorpus Of(string codec)
    {
        DirectoryInfo? project = new(AppContext.BaseDirectory);
        while (project is not null && !project.EnumerateFiles("*.csproj").Any())
        {
            project = project.Parent;
        }

        return new FuzzCorpus(System.IO.Path.Combine(project?.FullName ?? AppContext.BaseDirectory, "corpus", $"{codec}.txt"));
    }

    /// <summary>Tries each.</summary>
    /// <returns>How many there were.</returns>
    /// <exception cref="ConformanceException">The codec failed on one.</exception>
    public int Try(ICodecFuzzer fuzzer)
    {
        string[] lines = File.Exists(path) ? [.. File.ReadAllLines(path).Where(static line => line.Length > 0 && line[0] != '#')] : [];
        foreach (string[] words in lines.Select(static line => line.Split(' ')))
        {
            fuzzer.Try(Enum.Parse<Side>(words[0]), words.Length > 1 ? Convert.FromHexString(words[1]) : []);
        }

        return lines.Length;
    }

    /// <summary>Adds an input, for every run from now on.</summary>
    /// <param name="input">Of <see cref="ConformanceException.Input"/>.</param>
    public void Keep(string input)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        string before = File.Exists(path) ? File.ReadAllText(path) : "";
        if (!before.Split('\n').Contains(input))
        {
            File.AppendAllText(path, before.Length == 0 || before[^1] == '\n' ? input + "\n" : "\n" + input + "\n");
        }
    }
}
