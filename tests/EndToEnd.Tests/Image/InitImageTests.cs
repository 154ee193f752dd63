using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Image;

/// <summary>The image as a pod runs it: root with a few capabilities, a root file system that cannot be written.</summary>
public class InitImageTests(ImageStore image) : IClassFixture<ImageStore>
{
    private const string Least = "net_admin,net_raw";
    private const string WithIdentities = Least + ",setuid,setgid";

    [Theory]
    [InlineData(Least)]
    [InlineData(WithIdentities)]
    public void Image_OnReadOnlyRoot_AppliesTheRules(string capabilities) => Applies(image.Root, capabilities);

    [Fact]
    public void Image_CompiledWhileItIsBuilt_AppliesTheRules() => Applies(image.BuildFromSource(), WithIdentities);

    private void Applies(string root, string capabilities)
    {
        using Pod pod = new();
        using Backend outside = new("outside", pod.Outside, 9000, address: "::");
        RunImage(root, pod, capabilities, "apply", "-p", "15001", "-z", "15006", "-u", "1337", "-b", "*", "-i", "*", "--dual-stack");

        pod.Exec("nft", "list", "ruleset").ShouldContain("redirect to :15001");
        Call.Ask(9000, "x", Pod.OutsideIp, pod.Name).ShouldBeNull("nobody listens on the capture port, so a captured call must fail");
        outside.Calls.ShouldBe(0);
        RunImage(root, pod, capabilities, "diff", "-p", "15001", "-z", "15006", "-u", "1337", "-b", "*", "-i", "*", "--dual-stack");
        RunImage(root, pod, capabilities, "cleanup");
        pod.Exec("nft", "list", "ruleset").ShouldBeEmpty();
        Call.Ask(9000, "x", Pod.OutsideIp, pod.Name).ShouldBe("outside x");
    }

    [Fact]
    public void Image_SaysHowItRuns()
    {
        image.Inspect("{{.OCIv1.Config.User}}").ShouldBe("0:0");
        image.Inspect("{{.OCIv1.Config.Entrypoint}}").ShouldBe("[/usr/local/bin/meshl4-init]");
        // The runtime would look for a place to write to.
        Environment.Split(' ').ShouldContain("DOTNET_EnableDiagnostics=0");
    }

    // As a runtime of containers would set it: the image's own.
    private string Environment => image.Inspect("{{range .OCIv1.Config.Env}}{{.}} {{end}}").Trim();

    // A mount namespace of its own, so that nothing of it is left when the program ends.
    private void RunImage(string root, Pod pod, string capabilities, params string[] arguments)
    {
        string only = $"-all,+{capabilities.Replace(",", ",+", StringComparison.Ordinal)}";
        string script = $"""
            set -e
            mount --bind '{root}' '{root}'
            mount -o remount,bind,ro '{root}'
            mount -t proc -o ro proc '{root}/proc'
            mount -t tmpfs -o ro tmpfs '{root}/tmp'
            exec chroot '{root}' setpriv --bounding-set {only} --inh-caps {only} env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin {Environment} /usr/local/bin/meshl4-init "$@"
            """;
        pod.Exec(["unshare", "--mount", "sh", "-c", script, "sh", .. arguments]);
    }
}
