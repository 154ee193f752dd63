using System.Globalization;
using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Matching.CommonInputs.Network.V3;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>What a matcher tree may look at, each with the text Envoy gives it; null where the connection has no such thing.</summary>
internal static class MatcherInputs
{
    /// <summary>The text of one input.</summary>
    internal delegate string? Input(in MatchInput input);

    private static readonly Dictionary<string, Input> Texts = new(StringComparer.Ordinal)
    {
        [NameOf<DestinationIPInput>()] = static (in input) => Ip(input.Destination),
        [NameOf<DestinationPortInput>()] = static (in input) => Port(input.Destination),
        [NameOf<SourceIPInput>()] = static (in input) => Ip(input.Source),
        [NameOf<SourcePortInput>()] = static (in input) => Port(input.Source),
        [NameOf<DirectSourceIPInput>()] = static (in input) => Ip(input.DirectSource),
        [NameOf<SourceTypeInput>()] = static (in input) => SourceTypeLevel.IsSameIpOrLoopback(input) ? "local" : null,
        [NameOf<ServerNameInput>()] = static (in input) => string.IsNullOrEmpty(input.ServerName) ? null : input.ServerName,
        [NameOf<TransportProtocolInput>()] = static (in input) => input.TransportProtocol,
        [NameOf<ApplicationProtocolInput>()] = static (in input) =>
            input.ApplicationProtocols.IsDefaultOrEmpty ? null : $"'{string.Join("','", input.ApplicationProtocols)}'",
    };

    private static readonly Dictionary<string, ConnectionPredicates.End> Ends = new(StringComparer.Ordinal)
    {
        [NameOf<DestinationIPInput>()] = static (in input) => input.Destination,
        [NameOf<SourceIPInput>()] = static (in input) => input.Source,
        [NameOf<DirectSourceIPInput>()] = static (in input) => input.DirectSource,
    };

    /// <summary>Null, with an error, for an input this proxy does not know.</summary>
    public static Input? Text(Any? typed, DecodeScope scope) => Find(Texts, typed, scope);

    /// <summary>The address an input is about; null, with an error, for one that is about none.</summary>
    public static ConnectionPredicates.End? Address(Any? typed, DecodeScope scope) => Find(Ends, typed, scope);

    private static T? Find<T>(Dictionary<string, T> known, Any? typed, DecodeScope scope)
        where T : class
    {
        if (known.TryGetValue(TypedConfig.TypeName(typed), out T? input))
        {
            return input;
        }

        scope.Error($"input '{TypedConfig.TypeName(typed)}' is not supported here");
        return null;
    }

    private static string? Ip(IPEndPoint? end) => end is null ? null
        : (end.Address.IsIPv4MappedToIPv6 ? end.Address.MapToIPv4() : end.Address).ToString();

    private static string? Port(IPEndPoint? end) => end?.Port.ToString(CultureInfo.InvariantCulture);

    private static string NameOf<T>()
        where T : IMessage<T>, new()
        => new T().Descriptor.FullName;
}
