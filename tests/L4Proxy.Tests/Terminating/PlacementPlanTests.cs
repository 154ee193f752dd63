using MeshL4.L4Proxy.Terminating.XRpc;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public sealed class PlacementPlanTests
{
    private static readonly PlacementPlan Plan = new(0.9);

    [Theory]
    [InlineData(0, new[] { 0.0, 0, 0 })]
    [InlineData(0, new[] { 0.6, 0, 0 })]
    [InlineData(1, new[] { 0.85, 0.2, 0 })]
    [InlineData(2, new[] { 0.95, 0.9, 0.85 })]
    public void NewClient_GoesToTheFirstLoopWithRoom_ElseToTheOneWithTheMost(int expected, double[] shares) => Plan.ForNew(shares).ShouldBe(expected);

    [Fact]
    public void LoopThatStaysBusy_GivesToTheOneWithTheLeastWork() =>
        Plan.Moves([0.95, 0.3, 0.1], [0.95, 0.3, 0.1]).ShouldBe([new PlacementMove(2, All: false), null, null]);

    [Fact]
    public void TwoBusyLoops_GiveToDifferentOnes() =>
        Plan.Moves([0.95, 0.95, 0.1, 0], [1, 1, 0, 0]).ShouldBe([new PlacementMove(3, All: false), new PlacementMove(2, All: false), null, null]);

    [Theory]
    [InlineData(new[] { 0.95, 0 }, new[] { 0.2, 0 })]
    [InlineData(new[] { 0.95, 0.6 }, new[] { 0.95, 0.6 })]
    [InlineData(new[] { 1.0, 1.0 }, new[] { 1.0, 1.0 })]
    [InlineData(new[] { 0.5, 0.4 }, new[] { 0.5, 0.4 })]
    [InlineData(new[] { 0.95, 0.2 }, new[] { 0.6, 0.2 })]
    [InlineData(new[] { 0.2, 0.1 }, new[] { 0.9, 0.1 })]
    [InlineData(new[] { 1.0 }, new[] { 1.0 })]
    public void ShortWork_OrNobodyWithMuchLess_MovesNobody(double[] shares, double[] before) =>
        Plan.Moves(shares, before).ShouldAllBe(static move => move == null);

    [Fact]
    public void LoopsWithLittleToDo_BecomeOne() =>
        Plan.Moves([0.1, 0.2, 0.1], [0.1, 0.2, 0.1]).ShouldBe([null, new PlacementMove(0, All: true), new PlacementMove(0, All: true)]);

    [Fact]
    public void Gathering_StopsBeforeALoopHasMuchToDo() =>
        Plan.Moves([0.6, 0.3, 0.1], [0, 0, 0]).ShouldBe([null, null, new PlacementMove(0, All: true)]);

    /// <summary>Whom one rule puts somewhere the other does not take away.</summary>
    [Theory]
    [InlineData(0.05)]
    [InlineData(0.5)]
    [InlineData(0.75)]
    [InlineData(0.81)]
    public void NewClient_IsNotGatheredFromWhereItWasPut(double first) =>
        Plan.Moves([first, 0], [first, 0])[Plan.ForNew([first, 0])].ShouldBeNull();

    /// <summary>What spreading leaves is not gathered again.</summary>
    [Fact]
    public void SpreadLoops_StaySpread() => Plan.Moves([0.5, 0.5], [0.9, 0.1]).ShouldBe([null, null]);
}
