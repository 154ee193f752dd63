namespace MeshL4.Interceptor.Plan;

/// <summary>What a flag is about; --help prints its flags together.</summary>
internal enum FlagGroup
{
    /// <summary>What enters the pod.</summary>
    Inbound,

    /// <summary>What processes of the pod send.</summary>
    Outbound,

    /// <summary>Queries for names.</summary>
    Dns,

    /// <summary>Who and where the proxy is, and how connections reach it.</summary>
    Proxy,

    /// <summary>How the rules come into the kernel.</summary>
    Applying,

    /// <summary>Real packets that show that they hold.</summary>
    Verifying,
}

/// <summary>A flag of the command line that shapes the plan, named as in istio-iptables where that has it.</summary>
/// <param name="Group">What it is about.</param>
/// <param name="Name">Long name without dashes.</param>
/// <param name="Short">One-letter name, or null.</param>
/// <param name="IsSwitch">True when the flag needs no value.</param>
/// <param name="Description">One line for --help, with the default.</param>
internal sealed record RedirectFlag(FlagGroup Group, string Name, char? Short, bool IsSwitch, string Description)
{
    /// <summary>Every flag, in the order of --help.</summary>
    public static IReadOnlyList<RedirectFlag> All => FlagTable.All;

    /// <summary>The environment variables that stand for the flag when it is not given; the first that is set counts.</summary>
    public IReadOnlyList<string> Variables { get; init; } = [Name.ToUpperInvariant().Replace('-', '_')];
}
