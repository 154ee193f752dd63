namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>What became of a response.</summary>
/// <param name="Reasons">The text of the refusal; null when all of it was accepted.</param>
/// <param name="Held">Names of its resources that run as sent.</param>
internal sealed record Received(string? Reasons, IReadOnlyCollection<string> Held);

/// <summary>Takes the responses of a stream, one after the other.</summary>
internal interface IUpdateReceiver
{
    /// <summary>Applies what is good of an update.</summary>
    Received Receive(DiscoveryUpdate update, Subscription subscription);
}
