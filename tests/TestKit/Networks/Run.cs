using MeshL4.Interceptor.Apply;

namespace MeshL4.TestKit.Networks;

/// <summary>Programs that run to their end.</summary>
internal static class Run
{
    // Images and root file systems are made by programs that take minutes on a busy machine.
    private static readonly CommandRunner Runner = new(TimeSpan.FromMinutes(10));

    /// <summary>Its output; throws, and the test fails, when the program does.</summary>
    public static string Must(string program, params string[] arguments) => Feed(program, null, arguments);

    /// <summary>The same with text for its standard input.</summary>
    public static string Feed(string program, string? input, params string[] arguments)
    {
        CommandResult result = Runner.Run(program, arguments, input);
        return result.ExitCode == 0
            ? result.Output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {result.Output}{result.Error}{input}");
    }
}
