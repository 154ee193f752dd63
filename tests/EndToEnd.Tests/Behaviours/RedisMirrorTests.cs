using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Copies for a cluster whose servers each have a part of the keys, and requests that get none.</summary>
public sealed class RedisMirrorTests : IDisposable
{
    private const string Hashing = ", lb_policy: MAGLEV";

    private readonly Peer _main = Peer.Redis();
    private readonly Peer[] _copies = [Peer.Redis(), Peer.Redis()];
    private readonly int _port = Ports.Free();
    private readonly int _copyPort = Ports.Free();

    [Fact]
    public void Copies_GoWhereTheClusterHasTheirKeys()
    {
        using Sidecar proxy = Start("catch_all_route: {cluster: main, request_mirror_policy: [{cluster: copies}]}");
        using Call client = Call.To(_port);
        for (int i = 0; i < 60; i++)
        {
            client.Ask($"SET k{i} {i}").ShouldBe("+OK");
        }

        using Call copies = Until(60);
        DbSize(_copies[0]).ShouldBeInRange(1, 59);
        for (int i = 0; i < 60; i++)
        {
            copies.Ask($"GET k{i}").ShouldBe($"${$"{i}".Length}");
            copies.ReadLine().ShouldBe($"{i}");
        }
    }

    [Theory]
    [InlineData("main")]
    [InlineData("pair")]
    public void RequestOfManyKeys_IsCutAsTheClusterNeedsIt(string cluster)
    {
        using Peer other = Peer.Redis();
        using Sidecar proxy = Start(
            $"routes: [{{prefix: 'p:', remove_prefix: true, cluster: {cluster}, request_mirror_policy: [{{cluster: copies}}]}}]",
            Boot.Cluster("pair", [_main.Address, other.Address], Hashing));
        using Call client = Call.To(_port);
        string[] keys = [.. Enumerable.Range(0, 60).Select(static i => $"k{i}")];
        client.Send(RedisFront.Command(["MSET", .. keys.SelectMany(static key => (string[])["p:" + key, "v"])]));
        client.ReadLine().ShouldBe("+OK");
        client.Ask("DEL p:k0 p:k1 p:k2 p:k3 p:k4 p:k5 p:k6 p:k7 p:k8 p:k9").ShouldBe(":10");
        client.Ask("MSETNX p:k0 v p:k0 v").ShouldBe(":1");

        // By their names here: that of a copy is without its prefix, its server is that of the whole. Not by their number, which may be right in between.
        string[] wanted = [.. keys.Where(static key => key.Length == 3 || key == "k0").Order()];
        string[] There() => [.. _copies.SelectMany(static peer => Run.Must("redis-cli", "-p", $"{peer.Port}", "KEYS", "*").Trim().Split('\n')).Order()];
        Wait.Until(() => There().SequenceEqual(wanted), () => string.Join(' ', There()));
        DbSize(_copies[0]).ShouldBeInRange(1, 50);
    }

    [Fact]
    public void RequestForEveryServer_GoesToEveryServerOfTheCluster()
    {
        using Sidecar proxy = Start("catch_all_route: {cluster: main, request_mirror_policy: [{cluster: copies}]}");
        using Call client = Call.To(_port);
        client.Ask("MSET " + ManyKeys).ShouldBe("+OK");
        using Call copies = Until(40);
        DbSize(_copies[0]).ShouldBeInRange(1, 39);
        client.Ask("FLUSHALL").ShouldBe("+OK");
        using Call none = Until(0);
    }

    /// <summary>Where the reads' cluster alone hashes keys, requests that read several are cut too.</summary>
    [Fact]
    public void ReadsOfTheCopies_FindEveryKey()
    {
        using Sidecar proxy = Start("catch_all_route: {cluster: main, read_command_policy: {cluster: copies}, request_mirror_policy: [{cluster: copies, exclude_read_commands: true}]}");
        using Call client = Call.To(_port);
        client.Ask("MSET " + ManyKeys).ShouldBe("+OK");
        using Call copies = Until(40);
        client.Ask("EXISTS " + ManyKeys.Replace(" v", "", StringComparison.Ordinal)).ShouldBe(":40");
        client.Ask("UNLINK " + ManyKeys.Replace(" v", "", StringComparison.Ordinal)).ShouldBe(":40");
        using Call none = Until(0);
    }

    /// <summary>Who subscribes to the copies is at one of their servers.</summary>
    [Theory]
    [InlineData("PUBLISH", "SUBSCRIBE")]
    [InlineData("SPUBLISH", "SSUBSCRIBE")]
    public void MessagesOfAllClients_GoToOneServerOfTheCopies(string publish, string subscribe)
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main, request_mirror_policy: [{cluster: copies}]}")))
            .Listen("copies", _copyPort, Boot.Chain(Boot.Redis("catch_all_route: {cluster: copies}")))
            .With(Boot.Cluster("main", [_main.Address]), Boot.Cluster("copies", [.. _copies.Select(static peer => peer.Address)], ", lb_policy: ROUND_ROBIN")));
        using Call subscriber = Call.To(_copyPort);
        subscriber.Ask($"{subscribe} c").ShouldBe("*3");
        subscriber.Take($"${subscribe.Length}\r\n{subscribe}\r\n$1\r\nc\r\n:1\r\n".Length);
        for (int i = 0; i < 8; i++)
        {
            using Call publisher = Call.To(_port);
            publisher.Ask($"{publish} c m{i}").ShouldBe(":0");
            Wait.Until(() => proxy.Stat("redis.r.downstream_rq_mirrored") == i + 1, "no copy");
            while (subscriber.ReadLine().ShouldNotBeNull() != $"m{i}")
            {
                // What comes around a message.
            }
        }
    }

    [Fact]
    public void RequestWithoutACopy_IsCounted()
    {
        using Sidecar proxy = Start("catch_all_route: {cluster: main, request_mirror_policy: [{cluster: copies, exclude_read_commands: true}]}");
        using Call client = Call.To(_port);
        client.Ask("SET small 1").ShouldBe("+OK");
        client.Ask("GET small").ShouldBe("$1");
        client.ReadLine();
        client.Send(RedisFront.Command("SET", "long", new string('x', 300_000)));
        client.ReadLine().ShouldBe("+OK");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET inside 1").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*1");
        client.ReadLine().ShouldBe("+OK");

        // Those of several servers that cannot be cut.
        client.Ask("MSETNX " + ManyKeys).ShouldBe(":1");

        // What says which connections the client uses has none to get.
        client.Ask("SELECT 1").ShouldBe("+OK");
        client.Ask("SELECT 0").ShouldBe("+OK");
        using Call copies = Until(1);
        proxy.Stat("redis.r.downstream_rq_mirrored").ShouldBe(1);
        proxy.Stat("redis.r.downstream_rq_mirror_skipped").ShouldBe(4);
    }

    public void Dispose()
    {
        _main.Dispose();
        Array.ForEach(_copies, static peer => peer.Dispose());
    }

    /// <summary>More than one server has, with values.</summary>
    private static string ManyKeys => string.Join(' ', Enumerable.Range(0, 40).Select(static i => $"k{i} v"));

    /// <summary>A connection to the copies as a proxy reads them, once there are so many.</summary>
    private Call Until(int keys)
    {
        Wait.Until(() => _copies.Sum(DbSize) == keys, () => $"{string.Join(" and ", _copies.Select(DbSize))} keys, not {keys}");
        return Call.To(_copyPort);
    }

    private static int DbSize(Peer peer) => int.Parse(Run.Must("redis-cli", "-p", $"{peer.Port}", "DBSIZE").Trim(), System.Globalization.CultureInfo.InvariantCulture);

    private Sidecar Start(string routes, params string[] clusters) => Sidecar.Start(new Boot()
        .Listen("l", _port, Boot.Chain(Boot.Redis(routes)))
        .Listen("copies", _copyPort, Boot.Chain(Boot.Redis("catch_all_route: {cluster: copies}")))
        .With([Boot.Cluster("main", [_main.Address]), Boot.Cluster("copies", [.. _copies.Select(static peer => peer.Address)], Hashing), .. clusters]));
}
