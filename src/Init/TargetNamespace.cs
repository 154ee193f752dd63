using System.Reflection;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Init;

/// <summary>Brings the whole program into another network namespace. setns moves one thread only, and the runtime has several: so this
/// thread moves and then starts the program anew in its place.</summary>
internal static class TargetNamespace
{
    private const string Own = "/proc/thread-self/ns/net";

    /// <summary>How this very program is started again. Under the dotnet host the program is an argument of it.</summary>
    public static IReadOnlyList<string> ThisProgram =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, $"{Assembly.GetExecutingAssembly().GetName().Name}.dll")]
            : [Environment.ProcessPath!];

    /// <summary>Is there certainly nothing at this path? What may not be looked at is not missing.</summary>
    public static bool IsMissing(string path)
    {
        try
        {
            File.GetAttributes(path);
            return false;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Returns when the process is there already; otherwise does not return.</summary>
    /// <param name="path">The namespace's file.</param>
    /// <param name="arguments">What the program was started with, to start it with again.</param>
    /// <exception cref="RedirectException">There is no such namespace, or the kernel refused.</exception>
    public static void Enter(string path, IReadOnlyList<string> arguments)
    {
        string? before = File.ResolveLinkTarget(Own, false)?.Name;
        try
        {
            Namespaces.EnterNetwork(path);
            if (File.ResolveLinkTarget(Own, false)?.Name != before)
            {
                Execution.Replace(ThisProgram[0], ThisProgram.Skip(1).Concat(arguments));
            }
        }
        catch (UnauthorizedAccessException e)
        {
            throw new RedirectException(RedirectFailure.NotPermitted, $"--network-namespace '{path}': {e.Message}");
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or ArgumentException)
        {
            throw new RedirectException(RedirectFailure.Refused, $"--network-namespace '{path}': {e.Message}");
        }
    }
}
