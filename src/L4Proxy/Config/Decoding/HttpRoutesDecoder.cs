using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Route.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>A route configuration that was accepted. The L7 engine routes; here it is the name that listeners wait for.</summary>
internal sealed record HttpRoutesConfig(string Name);

/// <summary>Checks <c>envoy.config.route.v3.RouteConfiguration</c> as far as a server must get it right for any client.</summary>
internal static class HttpRoutesDecoder
{
    public static HttpRoutesConfig Decode(RouteConfiguration configuration, DecodeScope scope)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var domains = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < configuration.VirtualHosts.Count; i++)
        {
            VirtualHost host = configuration.VirtualHosts[i];
            DecodeScope at = scope.Item("virtual_hosts", i);
            if (host.Name.Length == 0 || !names.Add(host.Name))
            {
                at.Field("name").Error(host.Name.Length == 0 ? "is required" : $"'{host.Name}' is the name of another virtual host");
            }

            if (host.Domains.Count == 0)
            {
                at.Field("domains").Error("at least one is required");
            }

            for (int j = 0; j < host.Domains.Count; j++)
            {
                if (host.Domains[j].Length == 0 || !domains.Add(host.Domains[j]))
                {
                    at.Item("domains", j).Error(host.Domains[j].Length == 0 ? "is empty" : $"'{host.Domains[j]}' belongs to two virtual hosts, or stands twice");
                }
            }
        }

        return new HttpRoutesConfig(configuration.Name);
    }
}
