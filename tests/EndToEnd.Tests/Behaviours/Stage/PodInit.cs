namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>The real init container's program in a pod.</summary>
internal static class PodInit
{
    /// <summary>Writes the rules, for both families; the test fails when the program does.</summary>
    public static void Init(this Pod pod, params string[] flags) => pod.Exec([Path.Combine(AppContext.BaseDirectory, "meshl4-init"), .. flags, "--dual-stack"]);
}
