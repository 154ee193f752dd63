using MeshL4.L4Proxy.CommandLine;

namespace MeshL4.L4Proxy;

internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        ProxyArguments? arguments = ProxyArguments.TryParse(args, out int exitCode);
        if (arguments is null)
        {
            return exitCode;
        }

        return arguments.Verb == ProxyVerb.Validate
            ? ValidateCommand.Run(arguments, Console.Out)
            : await ProxyHost.RunAsync(arguments);
    }
}
