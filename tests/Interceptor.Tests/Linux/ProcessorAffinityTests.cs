using MeshL4.Interceptor.Linux;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Linux;

public class ProcessorAffinityTests
{
    [Fact]
    public void OnOne_WhileActing_TheThreadHasOneProcessorAndThenAllOfBefore()
    {
        string before = Allowed(), within = "";
        Should.Throw<InvalidOperationException>(() => ProcessorAffinity.OnOne(() =>
        {
            within = Allowed();
            throw new InvalidOperationException("whatever happens");
        }));
        within.ShouldMatch("^[0-9]+$");
        Allowed().ShouldBe(before);
    }

    private static string Allowed() =>
        File.ReadLines("/proc/thread-self/status").Single(l => l.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split(':')[1].Trim();
}
