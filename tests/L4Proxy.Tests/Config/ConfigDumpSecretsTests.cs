using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Route.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Shouldly;
using Xunit;
using TypedStruct = MeshL4.L4Proxy.Config.Protos.Udpa.Type.V1.TypedStruct;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What /config_dump does not show: no list knows which fields of a foreign extension are secrets.</summary>
public sealed class ConfigDumpSecretsTests
{
    private const string Secret = "hunter2-hunter2-hunter2";

    [Fact]
    public void ExtensionsThatAreNotKnown_AreShownByTypeAndLength()
    {
        var foreign = new Any { TypeUrl = "type.googleapis.com/envoy.extensions.filters.http.oauth2.v3.OAuth2", Value = ByteString.CopyFromUtf8(Secret) };
        var wasm = new TypedStruct { TypeUrl = "type.googleapis.com/some.Wasm", Value = new Struct { Fields = { ["token"] = Value.ForString(Secret) } } };
        var broken = new Any { TypeUrl = Any.Pack(new HttpConnectionManager()).TypeUrl, Value = ByteString.CopyFromUtf8(Secret) };
        string dump = Dump(foreign, Any.Pack(wasm), broken);
        dump.ShouldContain($$"""{"@type":"{{foreign.TypeUrl}}","meshl4_bytes":{{Secret.Length}}}""");
        dump.ShouldContain($$"""{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","type_url":"type.googleapis.com/some.Wasm","meshl4_bytes":{{wasm.CalculateSize()}}}""");
        dump.ShouldContain($$"""{"@type":"{{broken.TypeUrl}}","meshl4_bytes":{{Secret.Length}}}""");
    }

    [Fact]
    public void HeadersThatRoutesAdd_AreShownByName()
    {
        var added = new HeaderValueOption { Header = new HeaderValue { Key = "authorization", Value = Secret } };
        var raw = new HeaderValueOption { Header = new HeaderValue { Key = "x-raw", RawValue = ByteString.CopyFromUtf8(Secret) } };
        var routes = new RouteConfiguration { Name = "r", RequestHeadersToAdd = { added }, VirtualHosts = { new VirtualHost { Name = "h", ResponseHeadersToAdd = { raw } } } };
        string dump = Dump(Any.Pack(new HttpConnectionManager { RouteConfig = routes }));
        dump.ShouldContain("""{"key":"authorization","value":"[redacted]"}""");
        dump.ShouldContain("""{"key":"x-raw","value":"[redacted]"}""");
        added.Header.Value.ShouldBe(Secret, "what runs is not touched");
    }

    /// <summary>A listener with these as settings of filters; the secret is nowhere in it, in no form.</summary>
    private static string Dump(params Any[] settings)
    {
        var listener = new Listener { Name = "l", FilterChains = { new FilterChain() } };
        listener.FilterChains[0].Filters.AddRange(settings.Select(static one => new L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Filter { Name = "f", TypedConfig = one }));
        using var dump = new MemoryStream();
        using (var writer = new Utf8JsonWriter(dump))
        {
            MessageJson.Write(writer, listener, TypeUrls.Listener);
        }

        string text = Encoding.UTF8.GetString(dump.ToArray());
        text.ShouldNotContain(Secret);
        text.ShouldNotContain(Convert.ToBase64String(Encoding.UTF8.GetBytes(Secret))[..20]);
        return text;
    }
}
