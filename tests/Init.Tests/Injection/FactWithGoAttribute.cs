using Xunit;

namespace MeshL4.Init.Tests.Injection;

/// <summary>A test that needs Go's template engine: not run, and reported so, when nobody says where Go is.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactWithGoAttribute : FactAttribute
{
    /// <summary>Names the program <c>go</c>.</summary>
    public const string Variable = "MESHL4_GO";

    /// <summary>Looks at the variable.</summary>
    public FactWithGoAttribute()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)))
        {
            Skip = $"{Variable} is not set: it names the program go (1.18 or later)";
        }
    }
}
