using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Examples;

/// <summary>A test that needs the public examples of Envoy and Istio, which this repository does not hold: not run, and reported so, when
/// nobody says where they are.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactWithEnvoyExamplesAttribute : FactAttribute
{
    /// <summary>The variable.</summary>
    public const string Variable = "MESHL4_ENVOY_EXAMPLES";

    /// <summary>Looks at the variable.</summary>
    public FactWithEnvoyExamplesAttribute()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)))
        {
            Skip = $"{Variable} is not set: it names a folder with the work trees that the heading of public-examples.txt lists";
        }
    }
}
