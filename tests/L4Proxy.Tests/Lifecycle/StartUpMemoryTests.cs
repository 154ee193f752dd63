using MeshL4.L4Proxy.Lifecycle;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Lifecycle;

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
    public void Return_LeavesTheProcessWorking()
    {
        StartUpMemory.Return();
        Enumerable.Range(0, 1000).Sum().ShouldBe(499_500);
    }
}
