namespace MeshL4.L4Proxy.CommandLine;

/// <summary>What the process ends with.</summary>
internal static class ExitCodes
{
    /// <summary>Drained and ended as told, or the configuration is valid.</summary>
    public const int Success = 0;

    /// <summary>The configuration is invalid, or the proxy could not start or go on.</summary>
    public const int Failure = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;
}
