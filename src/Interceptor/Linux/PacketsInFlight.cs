using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>membarrier(2): waits for the kernel's readers.</summary>
internal static partial class PacketsInFlight
{
    // Waits for a grace period of RCU on every processor; a packet goes through all tables of a hook inside of one read of it.
    private const nint CommandGlobal = 1;

    /// <summary>Returns when every packet that is between two tables now has met the last one: at once, or after some milliseconds. Where
    /// the kernel has no such call (or forbids it) nothing is waited for.</summary>
    public static void Finish()
    {
        if (Number is nint number)
        {
            _ = Call(number, CommandGlobal, 0, 0);
        }
    }

    // libc has no function of that name.
    private static nint? Number => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 324,
        Architecture.Arm64 => 283,
        _ => null,
    };

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint Call(nint number, nint command, nint flags, nint processor);
}
