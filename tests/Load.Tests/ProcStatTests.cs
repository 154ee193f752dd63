using MeshL4.Load.Measuring;
using Shouldly;
using Xunit;

namespace MeshL4.Load.Tests;

public class ProcStatTests
{
    [Fact]
    public void Parse_NameWithBlanksAndParentheses_FieldsCountedBehindIt()
    {
        const string Line = "77 (a) b (c)) S 12 77 77 0 -1 4194304 100 200 0 0 31 17 5 3 20 0 4 0 9999 1000 50";

        ProcStat.Parse(Line).ShouldBe(new ProcStat(ParentPid: 12, Ticks: 31 + 17 + 5 + 3));
    }

    [Theory]
    [InlineData("")]
    [InlineData("77 (a) S 12 77")]
    public void Parse_TooShort_Refused(string line) => Should.Throw<FormatException>(() => ProcStat.Parse(line));

    [Fact]
    public void CpuSeconds_OfThisProcessAfterWork_Grows()
    {
        var before = ProcessTree.CpuSeconds(Environment.ProcessId);
        var after = before;
        for (var spins = 0L; after <= before && spins < 1_000_000; spins++)
        {
            after = ProcessTree.CpuSeconds(Environment.ProcessId);
        }

        after.ShouldBeGreaterThan(before);
    }

    [Fact]
    public void CpuSeconds_NoSuchProcess_VoidsTheRun() =>
        Should.Throw<VoidRunException>(() => ProcessTree.CpuSeconds(int.MaxValue)).Message.ShouldContain("gone");

    [Fact]
    public void ResidentKilobytes_StatusFile_VmRssLine() =>
        ProcessTree.ResidentKilobytes("Name:\tx\nVmPeak:\t  900 kB\nVmRSS:\t   12345 kB\nThreads:\t1\n").ShouldBe(12345);

    [Theory]
    [InlineData("Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n", 1024)]
    [InlineData("Max open files            unlimited            unlimited            files\n", long.MaxValue)]
    public void SoftOpenFiles_LimitsFile_SoftColumn(string limits, long expected) =>
        ProcessTree.SoftOpenFiles(limits).ShouldBe(expected);
}
