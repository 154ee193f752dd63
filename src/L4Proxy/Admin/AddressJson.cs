using System.Net;
using System.Text.Json;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Admin;

/// <summary>Addresses in the JSON shape of <c>envoy.config.core.v3.Address</c>.</summary>
internal static class AddressJson
{
    public static void Write(Utf8JsonWriter json, string property, EndPoint address)
    {
        json.WriteStartObject(property);
        if (address is IPEndPoint ip)
        {
            json.WriteStartObject("socket_address");
            json.WriteString("address", AddressText.Address(ip));
            json.WriteNumber("port_value", ip.Port);
        }
        else
        {
            json.WriteStartObject("pipe");
            json.WriteString("path", address.ToString());
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}
