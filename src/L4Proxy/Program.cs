using MeshL4.L4Proxy.Terminating.XRpc;

namespace MeshL4.L4Proxy;

internal static class Program
{
    private static Task<int> Main(string[] args) => ProxyProgram.RunAsync(args, new CodecSet());
}
