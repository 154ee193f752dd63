using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Apply;

/// <summary>What applying or cleaning up did.</summary>
/// <param name="Backend">The program that was used.</param>
/// <param name="Written">False when everything was as wanted already, and nothing was written.</param>
/// <param name="Unread">Why policy routes of an earlier mode could not be looked for; null when they could.</param>
internal sealed record SetOutcome(string Backend, bool Written, string? Unread = null);

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
        (IReadOnlyList<string> routes, string? unread) = Routes(plan);
        RefuseRoutes(_routes.LeadingElsewhere(plan), plan.Routing.Table);
        IReadOnlyList<string> wantedRoutes = _routes.Wanted(plan);
        IReadOnlyList<string> missing = Less(wantedRoutes, routes);
        IReadOnlyList<string> stale = Less(routes, wantedRoutes);
        bool others = !installed.SequenceEqual(Wanted(backend, plan));
        if (!options.Reconcile && !options.ForceApply)
        {
            RefuseOthers([.. others && installed.Count > 0 ? [(backend.Name, installed)] : Array.Empty<(string, IReadOnlyList<string>)>(), .. Beside(backend)]);
        }

        bool differs = others || options.ForceApply;

        AddOrUndo(missing, routes, differs ? () => WithReason(() => backend.Replace(plan)) : () => { });
        return new(backend.Name, RemoveLeftOvers(backend, stale) || differs || missing.Count + stale.Count > 0, unread);
    }

    /// <summary>The plan against the kernel, in order; empty when they are equal. Rules that another backend has beside it are too much.</summary>
    public IReadOnlyList<RuleDifference> Diff(RedirectPlan plan)
    {
        (IRuleBackend backend, IReadOnlyList<string> installed) = _backends.Choose();
        IReadOnlyList<string> wanted = Wanted(backend, plan);
        IReadOnlyList<string> routes = Routes(plan).Lines;
        IReadOnlyList<string> wantedRoutes = _routes.Wanted(plan);
        int same = installed.Zip(wanted).TakeWhile(pair => pair.First == pair.Second).Count();
        int tail = installed.Skip(same).Reverse().Zip(wanted.Skip(same).Reverse()).TakeWhile(p => p.First == p.Second).Count();
        return
        [
            .. Beside(backend).SelectMany(b => b.Lines.Select(l => new RuleDifference(false, $"{b.Name}: {l}"))),
            .. installed.Skip(same).SkipLast(tail).Select(l => new RuleDifference(false, l)),
            .. wanted.Skip(same).SkipLast(tail).Select(l => new RuleDifference(true, l)),
            .. Less(routes, wantedRoutes).Concat(_routes.LeadingElsewhere(plan)).Select(l => new RuleDifference(false, $"ip {l}")),
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
        List<RedirectException> failures = [];
        List<string> cleaned = [.. all.Where(b => Tried(() => RemoveIfThere(b, refusals), failures)).Select(b => b.Name)];
        if (refusals.Count == all.Length)
        {
            // Nobody let us look, so nobody knows whether rules are there: most often a missing capability.
            throw refusals[0];
        }

        if (_routes.RemoveAll(failures))
        {
            cleaned.Add("ip");
        }

        if (failures.Count > 0)
        {
            string removed = cleaned.Count > 0 ? $"what {string.Join(", ", cleaned)} could remove is gone" : "nothing was removed";
            throw new RedirectException(
                cleaned.Count > 0 ? RedirectFailure.HalfDone : failures[0].Failure,
                $"cleanup is not complete ({removed}): {string.Join('\n', failures.Select(f => f.Message).Distinct())}\nRules, policy rules or routes of ours may be left; run cleanup again once this is mended");
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

    private IReadOnlyList<string> Wanted(IRuleBackend backend, RedirectPlan plan)
    {
        IReadOnlyList<string> wanted = [];
        WithReason(() => wanted = backend.Wanted(plan));
        return wanted;
    }

    // A backend that stands in for nft says of its failure why nft was passed over.
    private void WithReason(Action act)
    {
        try
        {
            act();
        }
        catch (RedirectException e) when (_backends.PassedOver is not null)
        {
            throw _backends.OfBoth(e);
        }
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

    // A plan without marks does its work whatever routes there are, so that an ip that fails is no reason to refuse it.
    private (IReadOnlyList<string> Lines, string? Unread) Routes(RedirectPlan plan)
    {
        try
        {
            return (_routes.Installed(), null);
        }
        catch (RedirectException e) when (plan.Routing.Marks.Count == 0)
        {
            return ([], e.Message);
        }
    }

    // What one program cannot remove is no reason to leave what another can.
    private static bool Tried(Func<bool> removal, List<RedirectException> failures)
    {
        try
        {
            return removal();
        }
        catch (RedirectException e)
        {
            failures.Add(e);
            return false;
        }
    }

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

    // What a run that was killed, or could not end its work, left with another backend.
    private IEnumerable<(string Name, IReadOnlyList<string> Lines)> Beside(IRuleBackend used) =>
        _backends.Others(used).Select(b => (b.Name, InstalledIn(b))).Where(b => b.Item2.Count > 0);

    private static void RefuseOthers(IReadOnlyList<(string Name, IReadOnlyList<string> Lines)> others)
    {
        if (others.Count > 0)
        {
            string where = string.Join(", ", others.Select(o => $"{o.Lines.Count} lines, {o.Name}"));
            throw new RedirectException(RedirectFailure.Conflict, $"--reconcile=false: other rules of ours are in force ({where}); diff shows them, cleanup removes them");
        }
    }

    private static void RefuseRoutes(IReadOnlyList<string> others, int table)
    {
        if (others.Count > 0)
        {
            throw new RedirectException(RedirectFailure.Refused, $"routing table {table}, which the rules need for themselves, has routes of somebody else's, beside which theirs is not looked at: "
                + $"{string.Join("; ", others)}\nRemove them, or name another table with --istio-inbound-tproxy-route-table.");
        }
    }

    private static IReadOnlyList<string> InstalledIn(IRuleBackend backend, List<RedirectException>? refusals = null)
    {
        try
        {
            return backend.Installed();
        }
        catch (RedirectException e) when (e.IsOfTheKernel)
        {
            // A kernel without this interface has no rules in it.
            refusals?.Add(e);
            return [];
        }
    }

    private static bool RemoveIfThere(IRuleBackend backend, List<RedirectException>? refusals = null)
    {
        if (InstalledIn(backend, refusals).Count == 0)
        {
            return false;
        }

        backend.Remove();
        return true;
    }
}
