using System.Text.Json;
using MeshL4.Micro.Operations;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Benchmarks;

/// <summary>The operations of <c>bench/Micro</c> allocate what <c>expected-allocations.json</c> says, to the byte.</summary>
public sealed class ExpectedAllocationsTests
{
    private const int Operations = 1000;

    private static readonly Dictionary<string, long> Expected = Read();

    public static TheoryData<string> Names => [.. Expected.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Operation_AfterWarmUp_AllocatesWhatIsExpected(string name) =>
        BytesPerOperation(MeasuredOperations.Create()[name]).ShouldBe(Expected[name]);

    [Fact]
    public void Expected_NamesEveryMeasuredOperation() =>
        MeasuredOperations.Create().Keys.ShouldBe(Expected.Keys, ignoreOrder: true);

    private static double BytesPerOperation(Func<int> operation)
    {
        // The runtime may allocate on this thread while it compiles a method anew, so the least of a few rounds counts.
        double least = double.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            int lowest = int.MaxValue;
            for (int i = 0; i < Operations; i++)
            {
                lowest = Math.Min(lowest, operation());
            }

            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Operations);
            lowest.ShouldBeGreaterThan(0);
        }

        return least;
    }

    private static Dictionary<string, long> Read()
    {
        using Stream json = typeof(ExpectedAllocationsTests).Assembly.GetManifestResourceStream("expected-allocations.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, long>>(json)!;
    }
}
