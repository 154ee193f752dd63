namespace MeshL4.L4Proxy.CommandLine;

/// <summary>What <c>--help</c> shows beyond the list of options.</summary>
internal static class HelpText
{
    public const string Examples =
        """

        Examples:
          meshl4-proxy -c bootstrap.yaml                         serve with one event loop per core
          meshl4-proxy validate -c bootstrap.yaml                print every error with the path to its field
          meshl4-proxy validate -c bootstrap.yaml --format json  the same for machines
          meshl4-proxy -c bootstrap.yaml --config-yaml 'admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}'

        Exit codes:
          0  drained and ended as told; or the configuration is valid
          1  the configuration is invalid, or the proxy could not start
          2  the command line is wrong

        Flags of Envoy without a meaning here (--restart-epoch, --base-id, --log-format, ...) are accepted with a warning.

        """;
}
