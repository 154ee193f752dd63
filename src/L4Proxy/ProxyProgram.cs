using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Terminating.XRpc;

namespace MeshL4.L4Proxy;

/// <summary>The proxy as a program: what its own executable runs, and one of a codec author that adds a protocol.</summary>
public static class ProxyProgram
{
    /// <summary>Runs what the command line says.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="codecs">Protocols beside those of the build.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, CodecSet codecs)
    {
        ProxyArguments? arguments = ProxyArguments.TryParse(args, out int exitCode);
        if (arguments is null)
        {
            return exitCode;
        }

        return arguments.Verb == ProxyVerb.Validate
            ? ValidateCommand.Run(arguments, Console.Out)
            : await ProxyHost.RunAsync(arguments, codecs);
    }
}
