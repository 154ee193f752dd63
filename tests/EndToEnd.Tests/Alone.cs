using Xunit;

namespace MeshL4.EndToEnd.Tests;

/// <summary>
/// The collection of tests that run behind all others, one at a time: each has so many sockets of its own that beside another the process of the
/// tests has no descriptors left (the usual hard limit is 20,000), and whichever test opens the next file or starts the next program fails.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
