using System.CommandLine;
using MeshL4.Load.Cases;

namespace MeshL4.Load;

/// <summary>The options of bench.sh.</summary>
internal static class CommandLine
{
    private const string Description = """
        MeshL4 beside haproxy, nginx, twemproxy (Redis) and no proxy at all, on loopback, in turn, in one run.

        Examples:
          ./bench.sh                                    every case, 6 rounds
          ./bench.sh --quick --case redis-p1 --case bulk
          ./bench.sh --case churn --rounds 10 --json churn.json
          ./bench.sh --rivals-only --quick              without MeshL4
          MESHL4_BENCH_COMMAND='./relay {listen} {upstream}' ./bench.sh --case redis-p16

        Exit: 0 all figures there (bars met or not), 1 the run is void, 2 wrong usage, 3 a bar missed and --strict given, 130 interrupted.
        """;

    /// <summary>After Ctrl+C or SIGTERM there is time to end every process and to remove the files.</summary>
    private static readonly InvocationConfiguration EndsOrderly = new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(20) };

    /// <summary>Parses and runs; the value is the exit code.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var cases = new Option<string[]>("--case")
        {
            Description = $"one case only; may be repeated: {string.Join(", ", AllCases.Names)}",
            HelpName = "NAME",
        };
        cases.AcceptOnlyFromAmong([.. AllCases.Names]);
        var quick = new Option<bool>("--quick") { Description = "2 rounds of about 1.5 s: a look, not a verdict" };
        var rounds = new Option<int?>("--rounds") { Description = "rounds per case, 1 to 100 (default 6, quick 2); even numbers give A B B A", HelpName = "N" };
        rounds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > 100)
            {
                result.AddError("--rounds takes 1 to 100");
            }
        });
        var json = new Option<string?>("--json") { Description = "write all figures and verdicts there", HelpName = "FILE" };
        var strict = new Option<bool>("--strict") { Description = "exit 3 when a bar is missed by more than the noise" };
        var rivalsOnly = new Option<bool>("--rivals-only") { Description = "leave MeshL4 out" };
        var proxy = new Option<string>("--proxy")
        {
            Description = "the MeshL4 executable",
            HelpName = "FILE",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHL4_BENCH_PROXY") ?? "artifacts/meshl4-proxy",
        };

        var root = new RootCommand(Description) { cases, quick, rounds, json, strict, rivalsOnly, proxy };
        root.SetAction((parsed, stop) => BenchRun.RunAsync(
            new BenchOptions(
                parsed.GetValue(cases) is { Length: > 0 } chosen ? chosen : null,
                parsed.GetValue(quick),
                parsed.GetValue(rounds),
                parsed.GetValue(json),
                parsed.GetValue(strict),
                parsed.GetValue(rivalsOnly),
                parsed.GetValue(proxy)!,
                Environment.GetEnvironmentVariable("MESHL4_BENCH_COMMAND")),
            stop));
        var result = root.Parse(args);
        return result.Errors.Count > 0 ? await Refuse(result) : await result.InvokeAsync(EndsOrderly);
    }

    private static async Task<int> Refuse(ParseResult result)
    {
        await result.InvokeAsync();
        return 2;
    }
}
