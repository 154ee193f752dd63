using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;

namespace MeshL4.Init;

/// <summary>The verify command, and what follows apply.</summary>
/// <param name="options">What the plan was made from.</param>
/// <param name="plan">What must hold.</param>
/// <param name="format">text or json.</param>
/// <param name="output">Standard output.</param>
/// <param name="error">Standard error.</param>
/// <param name="childLimit">How long a process that sends as another user may take to start; the verifier's own limit unless given.</param>
internal sealed class Verification(RedirectOptions options, RedirectPlan plan, string format, TextWriter output, TextWriter error, TimeSpan? childLimit)
{
    private readonly Verifier _verifier = new(new CommandRunner(), TargetNamespace.ThisProgram, options, childLimit);

    /// <summary>The packets that would be sent, a line each, and where the plan says that they arrive.</summary>
    public string Intentions()
    {
        IReadOnlyList<Probe> probes = ProbePlanner.Of(options, plan, ProbeSite.Look(options));
        return $"would send {probes.Count} packets\n" + string.Concat(probes.Select(p => $"{p.Promise}: {p}: {p.Obstacle ?? $"must {p.Must}"}\n")).TrimEnd('\n');
    }

    /// <summary>Verifies what is in the kernel now.</summary>
    public int Run()
    {
        using IDisposable reserved = _verifier.Reserve();
        VerifyReport report = _verifier.Run(plan);
        output.Write(format == "json" ? report.Json() : report.Text());
        return Passes(report) ? ExitCodes.Done : ExitCodes.NotHeld;
    }

    /// <summary>Verifies what <paramref name="apply"/> has put into the kernel, and has the earlier rules back when it does not
    /// hold, or when anything at all kept that from being found out: unproven rules do not stay.</summary>
    public int RunAfter(RuleSetter setter, Func<int> apply)
    {
        // Before anything is written: what cannot be verified need not be undone.
        using IDisposable reserved = _verifier.Reserve();
        using var signals = new SignalWatch();
        Action putBack = setter.Remember();
        bool proven = false;
        try
        {
            int code = apply();
            signals.ThrowIfRaised();
            VerifyReport report = _verifier.Run(plan);
            signals.ThrowIfRaised();
            proven = Passes(report);
            output.Write(format == "json" ? report.Json() : Told(report));
            return proven ? code : PutBack(putBack, ExitCodes.NotHeld, "the rules do not hold what they promise");
        }
        catch (Exception e) when (!proven)
        {
            int code = e is RedirectException { Failure: not RedirectFailure.HalfDone } known ? ExitCodes.For(known.Failure) : ExitCodes.Refused;
            return PutBack(putBack, code, $"the rules could not be applied and verified: {e.Message}");
        }
    }

    private int PutBack(Action putBack, int code, string reason)
    {
        try
        {
            putBack();
            error.Write($"meshl4-init: {reason}\nmeshl4-init: the earlier rules are in force again\n");
            return code;
        }
        catch (RedirectException e)
        {
            error.Write($"meshl4-init: {reason}\nmeshl4-init: the earlier rules could NOT be put back, UNVERIFIED rules are in force: {e.Message}\n");
            return ExitCodes.HalfDone;
        }
    }

    // A success is one line; whoever wants every line calls verify.
    private static string Told(VerifyReport report) => report.AnyBroken ? report.Text() : $"meshl4-init: verified: {report.Summary}\n"
        + string.Concat(report.Checks.Where(c => c.Outcome == CheckOutcome.NotProvable).Select(c => c.Reasons[0]).Distinct()
            .Select(r => $"meshl4-init: not provable here: {r}\n"));

    private bool Passes(VerifyReport report) => !report.AnyBroken && !(options.Verify == VerifyMode.Strict && report.AnyNotProvable);
}
