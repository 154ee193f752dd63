using MeshL4.Interceptor.Apply;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Programs that run to their end.</summary>
internal static class Run
{
    private static readonly CommandRunner Runner = new();

    /// <summary>Its output; the test fails when the program does.</summary>
    public static string Must(string program, params string[] arguments)
    {
        CommandResult result = Runner.Run(program, arguments);
        result.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}: {result.Output}{result.Error}");
        return result.Output;
    }
}
