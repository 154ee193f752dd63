using Xunit;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>A test that needs Istio's golden files, which this repository does not hold: not run, and reported so, when nobody says where
/// they are.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactWithIstioSourceAttribute : FactAttribute
{
    /// <summary>Looks at the variable.</summary>
    public FactWithIstioSourceAttribute()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(IstioGoldens.Variable)))
        {
            Skip = $"{IstioGoldens.Variable} is not set: it names the folder of a copy of github.com/istio/istio";
        }
    }
}
