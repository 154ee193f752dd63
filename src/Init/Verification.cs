using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;

namespace MeshL4.Init;

/// <summary>The verify command, and what follows apply.</summary>
internal sealed class Verification(RedirectOptions options, RedirectPlan plan, string format, TextWriter output, TextWriter error)
{
    /// <summary>The packets that would be sent, a line each, and where the plan says that they arrive.</summary>
    public string Intentions()
    {
        IReadOnlyList<Probe> probes = ProbePlanner.Of(options, plan, ProbeSite.Look(options));
        return $"would send {probes.Count} packets\n" + string.Concat(probes.Select(p => $"{p.Promise}: {p}: {p.Obstacle ?? $"must {p.Must}"}\n")).TrimEnd('\n');
    }

    /// <summary>Verifies what is in the kernel now.</summary>
    public int Run()
    {
        VerifyReport report = new Verifier(new CommandRunner(), TargetNamespace.ThisProgram, options).Run(plan);
        output.Write(format == "json" ? report.Json() : report.Text());
        return Passes(report) ? ExitCodes.Done : ExitCodes.NotHeld;
    }

    /// <summary>Verifies what <paramref name="apply"/> has put into the kernel, and has the earlier rules back when it does not
    /// hold.</summary>
    public int RunAfter(RuleSetter setter, Func<int> apply)
    {
        Action putBack = setter.Remember();
        int code = apply();
        VerifyReport? report = null;
        try
        {
            report = new Verifier(new CommandRunner(), TargetNamespace.ThisProgram, options).Run(plan);
            output.Write(format == "json" ? report.Json() : Told(report));
            return Passes(report) ? code : ExitCodes.NotHeld;
        }
        finally
        {
            // Also when nothing could be found out because a signal or a failure ended it: unproven rules do not stay.
            if (report is null || !Passes(report))
            {
                putBack();
                error.Write("meshl4-init: the rules do not hold what they promise; the earlier ones are in force again\n");
            }
        }
    }

    // A success is one line; whoever wants every line calls verify.
    private static string Told(VerifyReport report) => report.AnyBroken ? report.Text() : $"meshl4-init: verified: {report.Summary}\n"
        + string.Concat(report.Checks.Where(c => c.Outcome == CheckOutcome.NotProvable).Select(c => c.Reasons[0]).Distinct()
            .Select(r => $"meshl4-init: not provable here: {r}\n"));

    private bool Passes(VerifyReport report) => !report.AnyBroken && !(options.Verify == VerifyMode.Strict && report.AnyNotProvable);
}
