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
    private readonly TempFolder _folder = new();

    public ImageStore()
    {
        _folder.Write("storage.conf", $"[storage]\ndriver = \"vfs\"\ngraphroot = \"{_folder.At("graph")}\"\nrunroot = \"{_folder.At("run")}\"\n");
        MakeBase();
        // Nothing is compiled in the image: what ./build.sh published is what is tested.
        Buildah("bud", "--isolation", "chroot", "--network", "host", "-f", "Dockerfile.init",
            "--build-arg", "SOURCE=prebuilt", "--build-arg", $"BASE_IMAGE={Base}", "-t", Image, Context());
        string container = Buildah("from", Image).Trim();
        Root = Buildah("mount", container).Trim();
    }

    /// <summary>Folder of the unpacked root file system.</summary>
    public string Root { get; }

    /// <summary>A value of the image's configuration, by a Go template.</summary>
    public string Inspect(string template) => Buildah("inspect", "--type", "image", "--format", template, Image).Trim();

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
        Run.Must("debootstrap", "--variant=minbase", release, root, mirror);
        string container = Buildah("from", "scratch").Trim();
        Buildah("add", container, root, "/");
        Buildah("commit", container, Base);
        Buildah("rm", container);
    }

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
