using MeshL4.L4Proxy.Config.Snapshots;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

public class DerivedTests
{
    [Fact]
    public void First_Stays_UntilItIsReplacedByWhoKnowsIt()
    {
        var owner = new Owner("a");
        owner.Place().Of(owner).ShouldBeNull();
        owner.Place().Add(owner, "first").ShouldBe("first");
        owner.Place().Add(owner, "late").ShouldBe("first", "another thread was faster");
        owner.Place().Replace(owner, "unknown", "wrong").ShouldBe("first");
        owner.Place().Replace(owner, owner.Place().Of(owner), "second").ShouldBe("second");
        owner.Place().Of(owner).ShouldBe("second");
    }

    [Fact]
    public void Copy_BeginsWithAnEmptyPlace_AndBothAreEqualAsBefore()
    {
        var owner = new Owner("a");
        owner.Place().Add(owner, "made");
        Owner copy = owner with { };
        copy.Place().Of(copy).ShouldBeNull();
        copy.ShouldBe(owner);
        copy.GetHashCode().ShouldBe(owner.GetHashCode());
        copy.Place().Add(copy, "its own").ShouldBe("its own");
        owner.Place().Of(owner).ShouldBe("made");
    }

    private sealed record Owner(string Name)
    {
        private Derived<string> _place;

        public ref Derived<string> Place() => ref _place;
    }
}
