using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Apply;

/// <summary>What applying or cleaning up did.</summary>
/// <param name="Backend">The program that was used.</param>
/// <param name="Written">False when everything was as wanted already, and nothing was written.</param>
internal sealed record SetOutcome(string Backend, bool Written);

/// <summary>A line that is in the kernel and not in the plan, or the other way round.</summary>
internal sealed record RuleDifference(bool Wanted, string Line);

/// <summary>Brings the kernel to the plan, and back. One reading; one writing only when something differs.</summary>
internal sealed class RuleSetter(CommandRunner runner, RedirectOptions options)
{
    private readonly PolicyRouteSetter _routes = new(runner);
    private readonly BackendChoice _backends = new(runner, options);

    /// <summary>Applies <paramref name="plan"/>, and removes rules that the other backend and routes that another mode left behind.</summary>
    public SetOutcome Apply(RedirectPlan plan)
    {
        (IRuleBackend backend, IReadOnlyList<string> installed) = _backends.Choose();
        try
        {
            return Apply(plan, backend, installed);
        }
        catch (RedirectException e) when (_backends.PassedOver is not null)
        {
            throw _backends.OfBoth(e);
        }
    }

    private SetOutcome Apply(RedirectPlan plan, IRuleBackend backend, IReadOnlyList<string> installed)
    {
        IReadOnlyList<string> routes = Routes(plan);
        IReadOnlyList<string> wantedRoutes = _routes.Wanted(plan);
        IReadOnlyList<string> missing = Less(wantedRoutes, routes);
        IReadOnlyList<string> stale = Less(routes, wantedRoutes);
        bool others = !installed.SequenceEqual(backend.Wanted(plan));
        if (others && installed.Count > 0 && !options.Reconcile && !options.ForceApply)
        {
            throw new RedirectException(RedirectFailure.Conflict, $"--reconcile=false: other rules of ours are in force ({installed.Count} lines, {backend.Name}); diff shows them, cleanup removes them");
        }

        bool differs = others || options.ForceApply;

        AddOrUndo(missing, routes, differs ? () => backend.Replace(plan) : () => { });
        return new(backend.Name, RemoveLeftOvers(backend, stale) || differs || missing.Count + stale.Count > 0);
    }

    /// <summary>The plan against the kernel, in order; empty when they are equal.</summary>
    public IReadOnlyList<RuleDifference> Diff(RedirectPlan plan)
    {
        (IRuleBackend backend, IReadOnlyList<string> installed) = _backends.Choose();
        IReadOnlyList<string> wanted = backend.Wanted(plan);
        IReadOnlyList<string> routes = Routes(plan);
        IReadOnlyList<string> wantedRoutes = _routes.Wanted(plan);
        int same = installed.Zip(wanted).TakeWhile(pair => pair.First == pair.Second).Count();
        int tail = installed.Skip(same).Reverse().Zip(wanted.Skip(same).Reverse()).TakeWhile(p => p.First == p.Second).Count();
        return
        [
            .. installed.Skip(same).SkipLast(tail).Select(l => new RuleDifference(false, l)),
            .. wanted.Skip(same).SkipLast(tail).Select(l => new RuleDifference(true, l)),
            .. Less(routes, wantedRoutes).Select(l => new RuleDifference(false, $"ip {l}")),
            .. Less(wantedRoutes, routes).Select(l => new RuleDifference(true, $"ip {l}")),
        ];
    }

    /// <summary>Removes our rules wherever they are: through nft and through every iptables there is.</summary>
    public SetOutcome Cleanup()
    {
        IRuleBackend[] all = [.. _backends.Everyone()];
        if (all.Length == 0)
        {
            throw new RedirectException(RedirectFailure.ProgramMissing, "neither nft nor iptables is installed: nothing can be removed");
        }

        List<RedirectException> refusals = [];
        List<string> cleaned = [.. all.Where(b => RemoveIfThere(b, refusals)).Select(b => b.Name)];
        if (refusals.Count == all.Length)
        {
            // Nobody let us look, so nobody knows whether rules are there: most often a missing capability.
            throw refusals[0];
        }

        if (_routes.LeftOver() is { Count: > 0 } routes)
        {
            _routes.Remove(routes);
            cleaned.Add("ip");
        }

        return new(cleaned.Count > 0 ? string.Join(", ", cleaned) : all[0].Name, cleaned.Count > 0);
    }

    /// <summary>Reads our rules, wherever they are.</summary>
    /// <returns>What brings exactly these rules back, and removes all others of ours.</returns>
    public Action Remember()
    {
        var remembered = new List<(bool Any, Action PutBack)>();
        bool others = !runner.Exists("nft");
        bool noNfTables = false;
        foreach (IRuleBackend backend in _backends.Everyone())
        {
            try
            {
                if (backend is NftBackend nft)
                {
                    remembered.Add(nft.Remember());
                    others = nft.SawIptablesChains;
                }
                else if (others || noNfTables || backend.Name == _backends.Forced || BackendChoice.IsLegacyInUse(backend))
                {
                    remembered.Add(backend.Remember());
                }
            }
            catch (RedirectException e) when (e.IsOfTheKernel)
            {
                // A kernel without this interface has no rules in it.
                noNfTables |= backend is NftBackend;
            }
        }

        IReadOnlyList<string>? routes = _routes.TryInstalled();
        // What was there comes before what was not there goes: no connection passes between the two. Routes that could not be read are
        // not known to be too much.
        return () => DoAll(
        [
            () => _routes.Add(routes is null ? [] : Less(routes, _routes.Installed())),
            .. remembered.OrderByDescending(r => r.Any).Select(r => r.PutBack),
            () => _routes.Remove(routes is null ? [] : Less(_routes.Installed(), routes)),
        ]);
    }

    // One backend that fails is no reason to leave the others as they are.
    private static void DoAll(IEnumerable<Action> steps)
    {
        var failures = new List<string>();
        foreach (Action step in steps)
        {
            try
            {
                step();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                failures.Add(e.Message);
            }
        }

        if (failures.Count > 0)
        {
            throw new RedirectException(RedirectFailure.HalfDone, string.Join('\n', failures.Distinct()));
        }
    }

    private IReadOnlyList<string> Routes(RedirectPlan plan) => plan.Routing.Marks.Count == 0 ? _routes.LeftOver() : _routes.Installed();

    // Routes come before the rules whose marks lead there. A batch may have failed in the middle: what it added is read, not assumed.
    private void AddOrUndo(IReadOnlyList<string> missing, IReadOnlyList<string> before, Action replace)
    {
        try
        {
            _routes.Add(missing);
            replace();
        }
        catch (Exception e) when (missing.Count > 0)
        {
            try
            {
                _routes.Remove(Less(_routes.Installed(), before));
            }
            catch (RedirectException undo)
            {
                throw new RedirectException(RedirectFailure.HalfDone, $"{e.Message}\nThe routes that were added for it could not be removed: {undo.Message}");
            }

            throw;
        }
    }

    // After the new rules are in, so that no connection passes between the two; old routes after the rules that used them are gone.
    private bool RemoveLeftOvers(IRuleBackend used, IReadOnlyList<string> stale)
    {
        bool removed = false;
        try
        {
            DoAll([() => _routes.Remove(stale), .. _backends.Others(used).Select<IRuleBackend, Action>(b => () => removed |= RemoveIfThere(b))]);
        }
        catch (RedirectException e)
        {
            throw new RedirectException(RedirectFailure.HalfDone, $"the new rules are in force, but older ones of ours beside them could not be removed: {e.Message}");
        }

        return removed;
    }

    // What is too much or missing of a line that should be there a number of times, most often once.
    private static IReadOnlyList<string> Less(IReadOnlyList<string> all, IReadOnlyList<string> others)
    {
        List<string> rest = [.. others];
        return [.. all.Where(l => !rest.Remove(l))];
    }

    private static bool RemoveIfThere(IRuleBackend backend, List<RedirectException>? refusals = null)
    {
        try
        {
            if (backend.Installed().Count == 0)
            {
                return false;
            }
        }
        catch (RedirectException e) when (e.IsOfTheKernel)
        {
            // A kernel without this interface has no rules in it.
            refusals?.Add(e);
            return false;
        }

        backend.Remove();
        return true;
    }
}
