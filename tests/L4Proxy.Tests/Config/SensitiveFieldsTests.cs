using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Tests.Config.Protos;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

public sealed class SensitiveFieldsTests
{
    private static readonly Dictionary<string, FieldDescriptor> Fields =
        OwnProtos.Messages.SelectMany(static message => message.Fields.InDeclarationOrder()).ToDictionary(static field => field.FullName);

    [Fact]
    public void All_AreFieldsOfTheSubset() => SensitiveFields.All.Where(static name => !Fields.ContainsKey(name)).ShouldBeEmpty();

    [Fact]
    public void Redact_InlineSecrets_AreReplaced_AndPlacesStay()
    {
        var certificate = new TlsCertificate
        {
            PrivateKey = new DataSource { InlineString = "key" }, Password = new DataSource { Filename = "/run/password" },
        };
        SensitiveFields.Redact(certificate, TlsCertificate.Descriptor.FindFieldByName("private_key"));
        SensitiveFields.Redact(certificate, TlsCertificate.Descriptor.FindFieldByName("password"));
        certificate.PrivateKey.InlineString.ShouldBe("[redacted]");
        certificate.Password.Filename.ShouldBe("/run/password");

        var many = new GenericSecret { Secrets = { ["a"] = new DataSource { InlineBytes = Google.Protobuf.ByteString.CopyFromUtf8("key") } } };
        SensitiveFields.Redact(many, GenericSecret.Descriptor.FindFieldByName("secrets"));
        many.Secrets["a"].InlineString.ShouldBe("[redacted]");
        var tickets = new TlsSessionTicketKeys { Keys = { new DataSource { InlineString = "key" } } };
        SensitiveFields.Redact(tickets, TlsSessionTicketKeys.Descriptor.FindFieldByName("keys"));
        tickets.Keys[0].InlineString.ShouldBe("[redacted]");
    }
}
