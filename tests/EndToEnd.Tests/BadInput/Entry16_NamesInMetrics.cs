using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 16: names a client makes up filled the memory of the metrics.</summary>
public sealed class Entry16_NamesInMetrics
{
    [Fact]
    public void MadeUpCommands_CountAsOther()
    {
        using var front = new RedisFront();
        using Call client = Call.To(front.Port);
        int before = Lines(front);
        for (int batch = 0; batch < 50; batch++)
        {
            client.Send(string.Concat(Enumerable.Range(0, 100).Select(i => RedisFront.Command($"MADEUP{batch}X{i}", "k"))));
            for (int i = 0; i < 100; i++)
            {
                client.ReadLine().ShouldStartWith("-ERR unknown command");
            }
        }

        front.Proxy.Stat("redis.r.command.other.total").ShouldBe(5000);
        (Lines(front) - before).ShouldBeLessThan(20);
        front.Proxy.Get("/stats").ShouldNotContain("MADEUP", Case.Insensitive);
    }

    private static int Lines(RedisFront front) => front.Proxy.Get("/stats").Split('\n').Length;
}
