using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.Image;

/// <summary>
/// The image of the init container, built with buildah in a store of its own on a Debian base made on the spot, and
/// unpacked. Root only; packages come from where this machine's apt has them.
/// </summary>
public sealed class ImageStore : IDisposable
{
    private const string Base = "localhost/meshl4-test-base";
    private const string Image = "localhost/meshl4-init";
    private const string Sdk = "localhost/meshl4-test-sdk";
    private readonly TempFolder _folder = new();

    public ImageStore()
    {
        _folder.Write("storage.conf", $"[storage]\ndriver = \"vfs\"\ngraphroot = \"{_folder.At("graph")}\"\nrunroot = \"{_folder.At("run")}\"\n");
        MakeBase();
        // Nothing is compiled in the image: what ./build.sh published is what is tested.
        Buildah("bud", "--isolation", "chroot", "--network", "host", "-f", "Dockerfile.init",
            "--build-arg", "SOURCE=prebuilt", "--build-arg", $"BASE_IMAGE={Base}", "-t", Image, Context());
        Root = Unpacked(Image);
    }

    /// <summary>Folder of the unpacked root file system.</summary>
    public string Root { get; }

    /// <summary>
    /// The same image with the program compiled while it is built, from this repository: unpacked, its folder. The SDK image is made of the SDK
    /// that runs this test and its package folder, so that no registry is asked; MESHL4_SDK_BASE names another one: an image, or a
    /// root file system as a folder or archive.
    /// </summary>
    public string BuildFromSource()
    {
        const string compiled = Image + "-compiled";
        string? given = Environment.GetEnvironmentVariable("MESHL4_SDK_BASE");
        string sdk = given is { Length: > 0 } ? Path.Exists(given) ? Imported(given, Sdk) : given : OwnSdk();
        string[] volumes = given is { Length: > 0 } ? [] : ["--volume", $"{SdkFolder}:{SdkFolder}:ro", "--volume", $"{PackageFolder}:/root/.nuget/packages:ro"];
        Buildah(["bud", "--isolation", "chroot", "--network", "host", "-f", "Dockerfile.init", .. volumes,
            "--build-arg", "SOURCE=build", "--build-arg", $"SDK_IMAGE={sdk}", "--build-arg", $"BASE_IMAGE={Base}", "-t", compiled, Executables.Root]);
        return Unpacked(compiled);
    }

    /// <summary>A value of the image's configuration, by a Go template.</summary>
    public string Inspect(string template) => Buildah("inspect", "--type", "image", "--format", template, Image).Trim();

    // .../shared/Microsoft.NETCore.App/10.0.x/System.Private.CoreLib.dll
    private static string SdkFolder => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));

    private static string PackageFolder => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
        ? folder : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    public void Dispose()
    {
        Buildah("rm", "--all");
        _folder.Dispose();
    }

    private void MakeBase()
    {
        string root = _folder.At("debian");
        string mirror = Run.Must("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Split('\n')[0];
        string release = Run.Must("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").Trim();
        // What the SDK needs of a system and a minimal one lacks is in it too.
        Run.Must("debootstrap", "--variant=minbase", "--include=libssl3,libstdc++6", release, root, mirror);
        Imported(root, Base);
    }

    private string OwnSdk()
    {
        string container = Buildah("from", Base).Trim();
        Run.Must("ln", "-s", Path.Combine(SdkFolder, "dotnet"), Path.Combine(Buildah("mount", container).Trim(), "usr/bin/dotnet"));
        // No ICU in it.
        Buildah("config", "--env", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", container);
        Buildah("commit", container, Sdk);
        Buildah("rm", container);
        return Sdk;
    }

    private string Imported(string rootFileSystem, string name)
    {
        string container = Buildah("from", "scratch").Trim();
        Buildah("add", container, rootFileSystem, "/");
        Buildah("commit", container, name);
        Buildah("rm", container);
        return name;
    }

    private string Unpacked(string image) => Buildah("mount", Buildah("from", image).Trim()).Trim();

    /// <summary>The files that the image is made from, and nothing else of the repository.</summary>
    private string Context()
    {
        string context = _folder.At("context");
        Directory.CreateDirectory(Path.Combine(context, "artifacts"));
        File.Copy(Path.Combine(Executables.Root, "Dockerfile.init"), Path.Combine(context, "Dockerfile.init"));
        File.Copy(Path.Combine(Executables.Root, "artifacts", "meshl4-init"), Path.Combine(context, "artifacts", "meshl4-init"));
        return context;
    }

    private string Buildah(params string[] arguments) => Run.Must(
        "env", [$"CONTAINERS_STORAGE_CONF={_folder.At("storage.conf")}", "STORAGE_DRIVER=vfs", "buildah", .. Quiet(arguments)]);

    private static string[] Quiet(string[] arguments) => arguments[0] is "bud" or "commit" or "add" ? [arguments[0], "--quiet", .. arguments[1..]] : arguments;
}
