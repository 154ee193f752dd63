using System.Net.Sockets;

namespace MeshL4.Interceptor.Verify;

/// <summary>How a check ended.</summary>
internal enum CheckOutcome
{
    /// <summary>Every packet arrived where the plan says.</summary>
    Held,

    /// <summary>A packet did not.</summary>
    Broken,

    /// <summary>No packet could show it here.</summary>
    NotProvable,
}

/// <summary>One promise in one address family.</summary>
/// <param name="Promise">What was promised.</param>
/// <param name="Family">For which family.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Probes">How many packets stand for it.</param>
/// <param name="Reasons">Each packet that went wrong, or each obstacle; empty when it held.</param>
internal sealed record CheckResult(string Promise, AddressFamily Family, CheckOutcome Outcome, int Probes, IReadOnlyList<string> Reasons);
