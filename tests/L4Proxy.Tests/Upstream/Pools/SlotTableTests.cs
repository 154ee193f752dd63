using FsCheck;
using FsCheck.Fluent;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Upstream.Pools;

/// <summary>Ids of requests in flight against a dictionary, and what a narrow id can and cannot tell apart.</summary>
public sealed class SlotTableTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(32)]
    [InlineData(63)]
    public void Table_AnyUse_FindsWhatIsInFlightAndNothingElse(int idBits) => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Choose(-40, 60).ListOf(300).ToArbitrary(),
        steps =>
        {
            var table = new SlotTable<RespCodec>(idBits);
            var model = new Dictionary<ulong, ulong>();
            var over = new HashSet<ulong>();
            ulong next = 1;
            foreach (int step in steps)
            {
                if (step > 0)
                {
                    Use(table, model, over, idBits, next++);
                }
                else if (model.Count > 0)
                {
                    ulong id = model.Keys.ElementAt(-step % model.Count);
                    table.Free(Found(table, id));
                    model.Remove(id);
                    over.Add(id);
                }

                bool holds = table.Used == model.Count && !over.Any(id => table.Find(id) >= 0);
                foreach ((ulong id, ulong seed) in model)
                {
                    holds &= table.Find(id) is >= 0 and var slot && table[slot].Seed == seed;
                }

                holds.ShouldBeTrue();
            }
        }));

    [Fact]
    public void Id_OfARequestThatIsOver_FindsNobodyUntilAllGenerationsWereUsed()
    {
        // Four bits: four slots, three generations.
        var table = new SlotTable<RespCodec>(4);
        ulong first = Use(table);
        table.Free(table.Find(first));
        ulong second = Use(table);
        table.Find(first).ShouldBe(-1);
        table.Free(table.Find(second));
        ulong third = Use(table);
        table.Find(first).ShouldBe(-1);
        table.Find(second).ShouldBe(-1);
        table.Free(table.Find(third));

        Use(table).ShouldBe(first);
        new[] { first, second, third }.Distinct().Count().ShouldBe(3);
    }

    /// <summary>Nobody waits for it, and its answer may come at any time: no other request has its id, however many there are.</summary>
    [Fact]
    public void Id_OfAnAbandonedRequest_IsNotGivenAgainBeforeItIsOver()
    {
        var table = new SlotTable<RespCodec>(8);
        ulong left = Use(table);
        table[table.Find(left)].Seed = 7;
        table.Abandon(table.Find(left));
        table.Abandon(table.Find(left));
        for (int i = 0; i < 1000; i++)
        {
            ulong id = Use(table);
            id.ShouldNotBe(left);
            table.Free(table.Find(id));
        }

        (table.Used, table.Abandoned, table[table.Find(left)].Seed).ShouldBe((1, 1, 0ul));
        table.Free(table.Find(left));
        (table.Used, table.Abandoned, table.Find(left)).ShouldBe((0, 0, -1));
    }

    [Fact]
    public void Table_WithAQuarterOfItsIdsAbandoned_IsWorn_AndSpentWhenTheOthersAreTaken()
    {
        // Sixteen ids.
        var table = new SlotTable<RespCodec>(8);
        for (int i = 0; i < 3; i++)
        {
            table.Abandon(table.Find(Use(table)));
        }

        table.IsWorn.ShouldBeFalse();
        ulong fourth = Use(table);
        table.Abandon(table.Find(fourth));
        table.IsWorn.ShouldBeTrue();
        for (int i = 4; i < 9; i++)
        {
            table.Abandon(table.Find(Use(table)));
        }

        for (int i = 9; i < 16; i++)
        {
            table.IsSpent.ShouldBeFalse();
            Use(table);
        }

        table.IsSpent.ShouldBeTrue();
        table.Free(table.Find(fourth));
        table.IsSpent.ShouldBeFalse();
    }

    [Fact]
    public void Generation_AfterItsLast_IsNeverZero()
    {
        var table = new SlotTable<RespCodec>(8);
        for (int i = 0; i < 1000; i++)
        {
            ulong id = Use(table);
            id.ShouldBeInRange(1ul, 255ul);
            (id >> 4).ShouldBeInRange(1ul, 15ul);
            table.Free(table.Find(id));
        }
    }

    [Theory]
    [InlineData(4, 4)]
    [InlineData(8, 16)]
    [InlineData(16, 256)]
    [InlineData(32, 65536)]
    [InlineData(63, 65536)]
    [InlineData(64, 65536)]
    public void Table_OfNarrowIds_TakesWhatTheyCanNumberAndNoMore(int idBits, int most)
    {
        var table = new SlotTable<RespCodec>(idBits);
        var ids = new HashSet<ulong>();
        for (int i = 0; i < most; i++)
        {
            ids.Add(Use(table));
        }

        ids.Count.ShouldBe(most);
        table.IsFull.ShouldBeTrue();
        table.TryReserve(out _).ShouldBeFalse();
        ids.Any(id => id == 0 || (idBits < 64 && id >= 1ul << idBits)).ShouldBeFalse();
        table.Free(table.Find(ids.First()));
        table.TryReserve(out _).ShouldBeTrue();
    }

    [Fact]
    public void Reserve_WithoutARequest_UsesNoSlot()
    {
        var table = new SlotTable<RespCodec>(8);
        for (int i = 0; i < 100; i++)
        {
            table.TryReserve(out ulong id).ShouldBeTrue();
            table.Find(id).ShouldBe(-1);
        }

        table.Used.ShouldBe(0);
    }

    [Fact]
    public void Find_AnyIdOfAServer_StaysInside()
    {
        var table = new SlotTable<RespCodec>(32);
        ulong mine = Use(table);
        foreach (ulong id in new ulong[] { 0, 1, mine + 1, mine ^ (1ul << 40), uint.MaxValue, ulong.MaxValue, 1ul << 63 })
        {
            table.Find(id).ShouldBe(-1);
        }
    }

    private static int Found(SlotTable<RespCodec> table, ulong id)
    {
        int slot = table.Find(id);
        slot.ShouldBeGreaterThanOrEqualTo(0);
        return slot;
    }

    private static ulong Use(SlotTable<RespCodec> table)
    {
        if (!table.TryReserve(out ulong id))
        {
            throw new ShouldAssertException($"no id with {table.Used} in use");
        }

        table.Add().Id = id;
        return id;
    }

    private static void Use(SlotTable<RespCodec> table, Dictionary<ulong, ulong> model, HashSet<ulong> over, int idBits, ulong seed)
    {
        bool full = table.IsFull;
        if (table.TryReserve(out ulong id) == full)
        {
            throw new ShouldAssertException($"{table.Used} in use, and full is {full}");
        }

        if (!full)
        {
            table.Add().Seed = seed;
            model.Add(id, seed);

            // A narrow id comes again, a wide one does not within a test.
            (over.Remove(id) && idBits > 8).ShouldBeFalse();
        }
    }
}
