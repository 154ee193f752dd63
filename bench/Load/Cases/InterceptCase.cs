using System.Globalization;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Cases;

/// <summary>
/// The init container: how long it takes, and what its rules cost a new connection beside rules that istio-init would
/// write (MESHL4_BENCH_ISTIO_RULES: an nft script that redirects all outbound TCP to 15001).
/// </summary>
internal sealed class InterceptCase() : BenchCase("intercept", "the init container and the cost of its rules")
{
    /// <summary>Names the file with Istio's rules.</summary>
    public const string IstioRules = "MESHL4_BENCH_ISTIO_RULES";

    private const string Apply = "apply";
    private const string Verified = "apply, verified";
    private const string ManyBlocks = "apply, 10,000 CIDRs";
    private const string Rate = "captured connections";
    private const string Entries = "conntrack entries after";
    private const string Init = "meshl4-init";
    private const string Redirect = "redirect";
    private const string RedirectMany = "redirect, 10,000 CIDRs";
    private const string Transparent = "transparent";
    private const string Istio = "istio";
    private const string IstioAgain = "istio (again)";

    private const double SliceSeconds = 0.1;

    private static readonly string[] CaptureAll = ["-p", "15001", "-z", "15006", "-u", "1337", "-b", "*", "-i", "*", "--ipv6=on"];
    private static readonly string[] Few = [.. CaptureAll, "-o", string.Join(',', Enumerable.Range(0, 50).Select(static i => 7000 + (2 * i))), "-x", Blocks(50)];

    public override IReadOnlyList<Bar> Bars => [
        new Bar(Apply, Init, null, AtLeast: false, 120),
        new Bar(Verified, Init, null, AtLeast: false, 1000),
        new Bar(ManyBlocks, Init, null, AtLeast: false, 1000),
        new Bar(Rate, Redirect, Istio, AtLeast: true, 1.0),
        new Bar(Rate, Transparent, Istio, AtLeast: true, 1.0),
        new Bar(Rate, RedirectMany, Redirect, AtLeast: true, 0.95),
        new Bar(Entries, Transparent, null, AtLeast: false, 0),
    ];

    public override (string Subject, string Again)? NoisePair => (Istio, IstioAgain);

    public override async Task<CaseResult> RunAsync(CaseContext context)
    {
        var result = new CaseResult(this);
        string program = Program();
        string many = context.Workspace.Write("blocks", Blocks(10_000).Replace(',', '\n'));
        await MeasureApplyAsync(context, program, many, result);
        await MeasureRateAsync(context, program, many, result);
        return result;
    }

    private static string Program()
    {
        string beside = Path.Combine(Path.GetDirectoryName(Environment.GetEnvironmentVariable("MESHL4_BENCH_PROXY")) ?? "artifacts", "meshl4-init");
        return File.Exists(beside) ? Path.GetFullPath(beside) : throw new VoidRunException($"there is no {beside}: ./build.sh init");
    }

    private async Task MeasureApplyAsync(CaseContext context, string program, string many, CaseResult result)
    {
        (string Metric, string[] Arguments)[] ways = [
            (Apply, [.. Few, "--verify", "off"]), (Verified, Few), (ManyBlocks, [.. CaptureAll, "-x", "@" + many, "--verify", "off"])];
        for (int round = 0; round < context.Rounds * 2; round++)
        {
            foreach ((string metric, string[] arguments) in ways)
            {
                await using CapturePod pod = await CapturePod.CreateAsync(context.Stop);
                (_, double milliseconds) = await pod.RunAsync(context.Stop, [program, "apply", .. arguments]);
                result.Add(metric, "ms", Init, milliseconds);
                context.Progress(string.Create(CultureInfo.InvariantCulture, $"{Name}: round {round + 1}/{context.Rounds * 2} {metric,-21} {milliseconds,10:0.0} ms"));
            }
        }
    }

    private async Task MeasureRateAsync(CaseContext context, string program, string many, CaseResult result)
    {
        List<(string Subject, CapturePod Pod)> pods = [];
        try
        {
            foreach ((string subject, string[] command) in Ways(program, many))
            {
                CapturePod pod = await CapturePod.CreateAsync(context.Stop);
                pods.Add((subject, pod));
                await pod.RunAsync(context.Stop, command);
                pod.Churn(0.5, context.Stop);
            }

            for (int round = 0; round < context.Rounds; round++)
            {
                foreach ((string subject, CapturePod pod, double rate) in Interleaved(context, pods))
                {
                    result.Add(Rate, "conn/s", subject, rate);
                    result.Add(Entries, "entries", subject, pod.ConntrackEntries());
                    context.Progress(string.Create(CultureInfo.InvariantCulture, $"{Name}: round {round + 1}/{context.Rounds} {subject,-22} {rate,12:N0} conn/s"));
                }
            }
        }
        finally
        {
            foreach ((_, CapturePod pod) in pods)
            {
                await pod.DisposeAsync();
            }
        }
    }

    /// <summary>
    /// One measurement of every pod, a slice of each in turn, forwards and backwards: a machine that is faster in one second than in the
    /// next is so for all of them.
    /// </summary>
    private static IEnumerable<(string Subject, CapturePod Pod, double Rate)> Interleaved(CaseContext context, IReadOnlyList<(string Subject, CapturePod Pod)> pods)
    {
        var connections = new long[pods.Count];
        var seconds = new double[pods.Count];
        int slices = Math.Max(2, (int)(context.Seconds / SliceSeconds));
        for (int slice = 0; slice < slices; slice++)
        {
            for (int turn = 0; turn < pods.Count; turn++)
            {
                int number = slice % 2 == 0 ? turn : pods.Count - 1 - turn;
                (long made, double took) = pods[number].Pod.Churn(SliceSeconds, context.Stop);
                connections[number] += made;
                seconds[number] += took;
            }
        }

        return pods.Select((pod, number) => (pod.Subject, pod.Pod, connections[number] / seconds[number]));
    }

    private static IEnumerable<(string Subject, string[] Command)> Ways(string program, string many)
    {
        string? istio = Environment.GetEnvironmentVariable(IstioRules);
        if (istio is not null)
        {
            yield return (Istio, ["nft", "-f", Path.GetFullPath(istio)]);
        }

        yield return (Redirect, [program, "apply", .. CaptureAll, "--verify", "off"]);
        yield return (Transparent, [program, "apply", .. CaptureAll, "-m", "TRANSPARENT", "--verify", "off"]);
        yield return (RedirectMany, [program, "apply", .. CaptureAll, "-x", "@" + many, "--verify", "off"]);
        if (istio is not null)
        {
            yield return (IstioAgain, ["nft", "-f", Path.GetFullPath(istio)]);
        }
    }

    /// <summary>So many blocks of 256 addresses that do not touch, as a comma list.</summary>
    private static string Blocks(int count) =>
        string.Join(',', Enumerable.Range(0, count).Select(static i => string.Create(CultureInfo.InvariantCulture, $"172.{16 + (i >> 7)}.{(i & 127) * 2}.0/24")));
}
