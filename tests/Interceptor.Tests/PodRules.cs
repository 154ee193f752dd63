using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Tests;

/// <summary>Rules in a pod, written the way the init container writes them.</summary>
internal static class PodRules
{
    /// <summary>Applies what the flags ask for.</summary>
    public static SetOutcome Apply(this Pod pod, params (string, string)[] flags) =>
        pod.In(() => pod.Setter(flags).Apply(RedirectPlanner.Plan(Flags.Options(flags))));

    /// <summary>What reads and writes the rules; to be used inside the pod.</summary>
    public static RuleSetter Setter(this Pod pod, params (string, string)[] flags) => new(new CommandRunner(), Flags.Options(flags));
}
