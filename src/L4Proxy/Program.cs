namespace MeshL4.L4Proxy;

internal static class Program
{
    private static int Main() => 0;
}
