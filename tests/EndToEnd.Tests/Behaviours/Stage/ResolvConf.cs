namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>The resolv.conf of a pod: <c>ip netns exec</c> mounts it over /etc/resolv.conf for what it runs. Gone when disposed.</summary>
internal sealed class ResolvConf : IDisposable
{
    private readonly string _folder;

    public ResolvConf(string ns, string text)
    {
        _folder = Directory.CreateDirectory($"/etc/netns/{ns}").FullName;
        File.WriteAllText(Path.Combine(_folder, "resolv.conf"), text);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
