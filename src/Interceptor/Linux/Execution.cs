using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>execv(3): another program in place of this process.</summary>
internal static partial class Execution
{
    /// <summary>Replaces the process. The namespaces of the calling thread become those of the whole process.</summary>
    /// <param name="program">Path of the executable.</param>
    /// <param name="arguments">Without the program's name.</param>
    /// <exception cref="InvalidOperationException">The kernel refused; otherwise this does not return.</exception>
    public static void Replace(string program, IEnumerable<string> arguments)
    {
        _ = Exec(program, [program, .. arguments, null]);
        throw new InvalidOperationException($"cannot start {program}: {Errno.Message(Errno.Last)}");
    }

    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Exec(string path, string?[] argv);
}
