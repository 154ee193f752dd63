namespace MeshL4.Init;

internal static class Program
{
    private static int Main() => 0;
}
