using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Tests.Plan;

/// <summary>A folder that stands for /etc.</summary>
internal sealed class EtcFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("meshl4-etc");

    public EtcFolder(params (string Name, string Text)[] files)
    {
        foreach ((string name, string text) in files)
        {
            File.WriteAllText(Path.Combine(_folder.FullName, name), text);
        }
    }

    public OptionsReading Read(params (string Flag, string Value)[] given) => OptionsReader.Read(Flags.Of(given), new SystemFiles(_folder.FullName));

    public void Dispose() => _folder.Delete(true);
}
