using System.Globalization;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Explain;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;
using MeshL4.Interceptor.Verify;

namespace MeshL4.Init;

/// <summary>meshl4-init: arguments in, rules in the kernel, exit code out.</summary>
internal static class Program
{
    private static readonly Dictionary<string, string> None = [];

    // One lock a network namespace, which is what the rules belong to: the node's own is held by programs that write other rules.
    private static readonly Dictionary<string, string> NamespaceLock = new() { ["XTABLES_LOCKFILE"] = "/proc/self/ns/net" };

    private static int Main(string[] arguments) => arguments is [ProbeChild.Command, string uid, string gid]
        ? ProbeService.Serve(new Identity(uint.Parse(uid, CultureInfo.InvariantCulture), uint.Parse(gid, CultureInfo.InvariantCulture)), Console.In, Console.Out)
        : Run(arguments, Environment.GetEnvironmentVariable, Console.Out, Console.Error, path => TargetNamespace.Enter(path, arguments));

    /// <summary>The whole program but for the process around it.</summary>
    /// <param name="arguments">Without the program's name.</param>
    /// <param name="variable">Gives an environment variable's value, or null.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="enter">Brings the process into a network namespace; called once everything given is known to be right.</param>
    /// <param name="childLimit">How long a verification's children may take to start, and so how long another verification is waited
    /// for; half a minute unless given.</param>
    internal static int Run(string[] arguments, Func<string, string?> variable, TextWriter output, TextWriter error, Action<string> enter, TimeSpan? childLimit = null)
    {
        Invocation call = new CommandLine().Parse(arguments, variable);
        if (call.Help || call.Version)
        {
            output.Write(call.Help ? HelpText.Write() : $"meshl4-init {typeof(Program).Assembly.GetName().Version?.ToString(3)}\n");
            return ExitCodes.Done;
        }

        OptionsReading reading = OptionsReader.Read(call.Flags, new SystemFiles());
        List<string> errors = [.. call.Errors, .. reading.Errors];
        string command = reading.Options.CleanupOnly && call.Command == "apply" ? "cleanup" : call.Command;
        string format = CallCheck.Format(call, command, reading.Options, errors);
        CallCheck.PacketFlags(call, errors);
        if (reading.Options.NetworkNamespace is string wanted && TargetNamespace.IsMissing(wanted))
        {
            errors.Add($"{call.Flags["network-namespace"].Origin} '{wanted}': no such file");
        }

        Packet? packet = call.Command == "explain" ? PacketReader.Read(call, errors) : null;
        if (errors.Count > 0)
        {
            errors.ForEach(e => error.Write($"meshl4-init: {e}\n"));
            error.Write($"meshl4-init: {errors.Count} error(s), nothing applied; see --help\n");
            return ExitCodes.Usage;
        }

        try
        {
            if (reading.Options.NetworkNamespace is string path)
            {
                enter(path);
            }

            foreach (string note in call.Notes.Concat(reading.Notes))
            {
                error.Write($"meshl4-init: note: {note}\n");
            }

            RedirectOptions options = PodAddresses.WithFamilies(reading.Options, out Ipv6Choice ipv6);
            if (command != "cleanup" && ipv6.LeftAlone.Count > 0)
            {
                error.Write($"meshl4-init: note: IPv6 is left alone, as by istio-iptables in a pod with addresses of IPv4 ({string.Join(", ", ipv6.LeftAlone)} pass the proxy by); --dual-stack or --ipv6 on captures it\n");
            }

            foreach (string note in Ipv6Choice.Unheeded(options))
            {
                error.Write($"meshl4-init: note: {note}\n");
            }

            return Execute(command, options, format, packet, output, error, childLimit);
        }
        catch (RedirectException e)
        {
            error.Write($"meshl4-init: {e.Message}\n");
            return ExitCodes.For(e.Failure);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            error.Write($"meshl4-init: unexpected failure, please report it: {e}\n");
            return ExitCodes.Refused;
        }
    }

    private static int Execute(string command, RedirectOptions options, string format, Packet? packet, TextWriter output, TextWriter error, TimeSpan? childLimit)
    {
        RedirectPlan plan = RedirectPlanner.Plan(options);
        var setter = new RuleSetter(new CommandRunner { Variables = options.CniMode ? NamespaceLock : None }, options);
        if (command is "plan" or "explain")
        {
            TellDeadRules(plan, error);
        }

        if (command == "plan" || (options.DryRun && command == "apply"))
        {
            output.Write(Render(plan, format));
            return ExitCodes.Done;
        }

        var verification = new Verification(options, plan, format, output, error, childLimit);
        return command switch
        {
            "verify" when options.DryRun => Report(output, verification.Intentions()),
            "verify" => verification.Run(),
            "apply" when options.SkipRuleApply => options.RunValidation ? verification.Run() : Report(output, "nothing applied, as asked"),
            "apply" when options.RunValidation || options.Verify != VerifyMode.Off =>
                verification.RunAfter(setter, () => Apply(setter, plan, options, format == "json" ? error : output, error)),
            "explain" => Explain(plan, packet!, format, output),
            "diff" => Diff(setter.Diff(plan), format, output),
            "cleanup" when options.DryRun => Report(output, "would remove the rules of every backend"),
            "cleanup" => Cleanup(setter, options, output, childLimit),
            _ => Apply(setter, plan, options, output, error),
        };
    }

    private static string Render(RedirectPlan plan, string format) => format switch
    {
        "json" => PlanJson.Write(plan),
        "nft" => PolicyRoutes.Comments(plan.Routing) + NftScript.Replace(plan),
        "iptables" => $"{PolicyRoutes.Comments(plan.Routing)}# iptables-restore --noflush\n{IptablesText.Restore(plan, AddressFamily.InterNetwork)}"
            + (plan.WithIpv6 ? $"# ip6tables-restore --noflush\n{IptablesText.Restore(plan, AddressFamily.InterNetworkV6)}" : ""),
        _ => PlanText.Write(plan),
    };

    private static int Apply(RuleSetter setter, RedirectPlan plan, RedirectOptions options, TextWriter output, TextWriter error)
    {
        if (!plan.RedirectsAnything)
        {
            error.Write("meshl4-init: warning: these flags capture nothing; -b '*' captures inbound, -i '*' outbound\n");
        }

        TellUnansweredDns(options, error);
        SetOutcome outcome = setter.Apply(plan);
        if (outcome.Unread is string unread)
        {
            error.Write($"meshl4-init: warning: policy routes could not be read, and those of an earlier mode stay if there are any: {unread}\n");
        }

        int rules = plan.Chains.Sum(c => c.Rules.Count);
        return Report(output, outcome.Written
            ? $"{rules} rules applied with {outcome.Backend}"
            : $"{rules} rules in place already ({outcome.Backend}), nothing written");
    }

    private static void TellUnansweredDns(RedirectOptions options, TextWriter error)
    {
        if (options is not { CapturesDns: true, RedirectOutbound: true })
        {
            return;
        }

        bool tcp = ConnectionTable.IsListenedOn(options.DnsPort);
        bool udp = ConnectionTable.IsBoundUdp(options.DnsPort);
        if (!(tcp && udp))
        {
            string transparent = options.Mode == InterceptionMode.Transparent ? "; in this mode it must have transparent: true" : "";
            error.Write($"meshl4-init: warning: redirect-dns: nothing listens on port {options.DnsPort} ({(tcp ? "UDP" : udp ? "TCP" : "UDP and TCP")}) yet; "
                + "until a DNS listener does, no name resolves in this pod. meshl4-proxy has one (DNS_CAPTURE in the node's metadata, or DnsProxyOptions), "
                + $"and so have agents of other meshes{transparent}\n");
        }
    }

    private static int Cleanup(RuleSetter setter, RedirectOptions options, TextWriter output, TimeSpan? childLimit)
    {
        // One that runs keeps its network: without it, it would find promises broken and put rules back behind us.
        using IDisposable reserved = VerifierLock.Reserve(options.ProbeTimeout, childLimit);
        // A verification that was killed is part of what the program leaves.
        ProbeNetwork.RemoveLeftOvers(new CommandRunner());
        SetOutcome outcome = setter.Cleanup();
        return Report(output, outcome.Written ? $"rules removed with {outcome.Backend}" : "no rules to remove");
    }

    private static int Diff(IReadOnlyList<RuleDifference> differences, string format, TextWriter output)
    {
        output.Write(format == "json" ? DifferenceText.Json(differences) : DifferenceText.Lines(differences));
        return differences.Count == 0 ? ExitCodes.Done : ExitCodes.Different;
    }

    private static int Explain(RedirectPlan plan, Packet packet, string format, TextWriter output)
    {
        var explanation = new Explanation(plan, packet);
        output.Write(format == "json" ? explanation.Json() : explanation.Text());
        return ExitCodes.Done;
    }

    private static void TellDeadRules(RedirectPlan plan, TextWriter error)
    {
        foreach (DeadRule rule in DeadRules.Of(plan))
        {
            error.Write($"meshl4-init: note: {rule}\n");
        }
    }

    private static int Report(TextWriter output, string text)
    {
        output.Write($"meshl4-init: {text}\n");
        return ExitCodes.Done;
    }
}
