using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>
/// Ports nobody listens on, below the range the kernel gives to clients. Each is given once, and from the one ledger of all tests: two that count for
/// themselves in the same range give the same port when one comes by where the other is.
/// </summary>
internal static class Ports
{
    public static int Free() => FreePorts.Next();
}
