using MeshL4.L4Proxy.Lifecycle;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Lifecycle;

/// <summary>Counts collections of the whole process, so that no other test may run beside it.</summary>
[CollectionDefinition(nameof(StartUpMemoryTests), DisableParallelization = true)]
[Collection(nameof(StartUpMemoryTests))]
public class StartUpMemoryTests
{
    private const string Smaps = """
        00100000-00110000 r-xp 00001000 fe:00 42                         /opt/with space/proxy
        Size:                 64 kB
        Rss:                  60 kB
        Anonymous:             0 kB
        AnonHugePages:         0 kB
        00110000-00120000 r--p 00011000 fe:00 42                         /opt/with space/proxy
        Anonymous:             4 kB
        00120000-00130000 rw-p 00021000 fe:00 42                         /opt/with space/proxy
        Anonymous:             0 kB
        00130000-00140000 r-xp 00001000 fe:00 43                         /usr/lib/libc.so.6
        Anonymous:             0 kB
        00140000-00150000 r--p 00000000 00:00 0
        Anonymous:             0 kB
        00150000-00158000 r--s 00031000 fe:00 42                         /opt/with space/proxy
        Anonymous:             0 kB
        00160000-00170000 r-xs 00000000 00:05 7                          /memfd:doublemapper (deleted)
        Anonymous:             0 kB
        """;

    [Fact]
    public void OnlyMappingsThatHoldNothingButTheFile_AreGivenBack() =>
        StartUpMemory.CleanMappings(Smaps.Split('\n')).Select(static m => m.Start).ShouldBe([0x00100000, 0x00130000, 0x00150000]);

    [Fact]
    public void Return_OfALittleHeap_CompactsIt()
    {
        long before = StoppedThroughout;
        StartUpMemory.Return(long.MaxValue);
        StoppedThroughout.ShouldBeGreaterThan(before);
    }

    [Fact]
    public async Task Return_OfABigHeap_StopsNobodyThroughout()
    {
        // The runtime stops everybody when it likes, too; only what this asks for comes every time.
        for (int attempt = 0; attempt < 5; attempt++)
        {
            int collections = GC.CollectionCount(2);
            long before = StoppedThroughout;
            StartUpMemory.Return(littleHeap: 0);
            await Patience.UntilAsync(() => GC.CollectionCount(2) > collections, "the collection beside the others", () => "");
            if (StoppedThroughout == before)
            {
                return;
            }
        }

        throw new ShouldAssertException("every time the process was stopped throughout");
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void BeforeListening_WithABigHeap_CompactsItOnce_UnlessSomebodyIsConnected(long connections, bool compacts)
    {
        byte[][] held = [.. Enumerable.Range(0, 10_000).Select(static _ => new byte[1000])];
        var memory = new StartUpMemory(() => connections);
        long before = StoppedThroughout;
        memory.BeforeListening();
        (StoppedThroughout > before).ShouldBe(compacts);
        before = StoppedThroughout;
        memory.BeforeListening();
        StoppedThroughout.ShouldBe(before);
        GC.KeepAlive(held);
    }

    /// <summary>Number of the last collection during which everything stood still.</summary>
    private static long StoppedThroughout => GC.GetGCMemoryInfo(GCKind.FullBlocking).Index;
}
