using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Apply;

/// <summary>Which way the rules go into the kernel: nft, else iptables by nf_tables, else the older iptables. Looks at names and at what the
/// kernel says is in use; runs nothing that could create a table.</summary>
internal sealed class BackendChoice(CommandRunner runner, RedirectOptions options)
{
    /// <summary>The backend that was asked for by name, or null.</summary>
    public string? Forced => options.ForcedIptables is string kind ? $"iptables-{kind}" : null;

    /// <summary>Why nft was passed over, though it is installed and was not ruled out; null when it was not.</summary>
    public RedirectException? PassedOver { get; private set; }

    /// <summary>The backend to use, and our rules that it has read.</summary>
    /// <exception cref="RedirectException">None is installed, or the kernel answers none.</exception>
    public (IRuleBackend Backend, IReadOnlyList<string> Installed) Choose()
    {
        PassedOver = null;
        foreach (IRuleBackend backend in Candidates())
        {
            if (PassedOver is not null && backend.Name == "iptables-nft")
            {
                continue;
            }

            try
            {
                return (backend, backend.Installed());
            }
            catch (RedirectException e) when (e.IsOfTheKernel && Forced is null && !options.NativeNftables)
            {
                // A kernel without nf_tables: the older interface may be there still.
                PassedOver ??= e;
            }
        }

        throw PassedOver is null ? new RedirectException(RedirectFailure.ProgramMissing, NothingInstalled()) : OfBoth(null);
    }

    /// <summary>The failure of the backend that was taken in nft's place, with why nft was passed over.</summary>
    public RedirectException OfBoth(RedirectException? older) => older is null or { Failure: RedirectFailure.ModuleMissing or RedirectFailure.Refused }
        ? new(PassedOver!.Failure, $"{PassedOver.Message}\n{older?.Message ?? "The older iptables, which would do without, is not installed."}")
        : older;

    /// <summary>Every backend that is installed, nft first.</summary>
    public IEnumerable<IRuleBackend> Everyone()
    {
        if (runner.Exists("nft"))
        {
            yield return new NftBackend(runner);
        }

        string[] kinds = [.. new[] { "nft", "legacy" }.Where(k => runner.Exists($"iptables-{k}-save"))];
        foreach (string kind in kinds)
        {
            yield return Iptables(kind);
        }

        // Where there are others it is another name of one of them.
        if (kinds.Length == 0 && runner.Exists("iptables-save"))
        {
            yield return Iptables(null);
        }
    }

    /// <summary>Everyone else that a look without side effects does not rule out. The nft program sees what iptables-nft wrote.</summary>
    public IEnumerable<IRuleBackend> Others(IRuleBackend used)
    {
        bool nftSawThem = used is not NftBackend nft || nft.SawIptablesChains;
        return Everyone().Where(b => b.Name != used.Name && (b is NftBackend || IsLegacyInUse(b) || (nftSawThem && b.Name != "iptables-legacy")));
    }

    /// <summary>Does the kernel list tables of the older interface? Reading them by the program would load its modules.</summary>
    public static bool IsLegacyInUse(IRuleBackend backend) => backend.Name is "iptables-legacy" or "iptables"
        && new[] { "ip_tables_names", "ip6_tables_names" }.Select(f => $"/proc/thread-self/net/{f}").Any(f => File.Exists(f) && File.ReadAllText(f).Length > 0);

    private IEnumerable<IRuleBackend> Candidates() => Everyone().Where(b => Forced is string name ? b.Name == name : b is NftBackend || !options.NativeNftables);

    private IptablesBackend Iptables(string? kind) => new(runner, kind, runner.Exists(kind is null ? "ip6tables-save" : $"ip6tables-{kind}-save"));

    private string NothingInstalled() => options switch
    {
        { ForcedIptables: string forced } => $"--force-iptables-binary {forced}: iptables-{forced}-save is not installed",
        { NativeNftables: true } => "--native-nftables: nft is not installed",
        _ => "neither nft nor iptables is installed: add one of them to the image",
    };
}
