using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>What differs between state of the world and delta: the messages.</summary>
internal interface IDiscoveryVariant
{
    /// <summary>First part of a method's name: <c>Stream</c> or <c>Delta</c>.</summary>
    string MethodPrefix { get; }

    /// <summary>Reads a response; <paramref name="find"/> knows the subscriptions of the stream.</summary>
    /// <exception cref="InvalidProtocolBufferException">The bytes are no response.</exception>
    DiscoveryUpdate Read(byte[] bytes, Func<string, Subscription?> find);

    /// <summary>The request that brings the server's knowledge of what is wanted up to date, or null when it is; notes it as told.</summary>
    IMessage? Subscribe(Subscription subscription, Node? node);

    /// <summary>The answer to a response: an acknowledgement, or with <paramref name="reasons"/> a refusal.</summary>
    IMessage Answer(Subscription subscription, Node? node, string nonce, string? reasons);

    /// <summary>Notes what of an applied update is held now.</summary>
    /// <param name="subscription">Takes the versions.</param>
    /// <param name="update">The update.</param>
    /// <param name="accepted">Whether nothing of it was refused.</param>
    /// <param name="held">Names of its resources that run as sent.</param>
    void Note(Subscription subscription, DiscoveryUpdate update, bool accepted, IReadOnlyCollection<string> held);
}
