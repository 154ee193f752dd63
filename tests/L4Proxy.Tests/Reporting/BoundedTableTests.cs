using MeshL4.L4Proxy.Reporting.Metrics;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Reporting;

public class BoundedTableTests
{
    private readonly BoundedTable<string, object> _table = new(static _ => BoundedTable<string, object>.Other, static _ => new object());

    [Fact]
    public void NamesBeyondTheBound_ShareOneEntry_AndThoseBeforeKeepTheirs()
    {
        object[] kept = [.. Enumerable.Range(0, BoundedTable<string, object>.MaxNames).Select(n => _table.Get($"{n}"))];
        object other = _table.Get("late");
        _table.Get("later").ShouldBeSameAs(other);
        _table.Get(BoundedTable<string, object>.Other).ShouldBeSameAs(other);
        kept.Distinct().Count().ShouldBe(kept.Length);
        kept.Select((one, n) => ReferenceEquals(_table.Get($"{n}"), one)).ShouldAllBe(static same => same);
        _table.Values.Count.ShouldBe(kept.Length + 1);
    }
}
