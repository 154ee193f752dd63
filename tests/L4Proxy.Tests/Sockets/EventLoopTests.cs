using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Sockets;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sockets;

public sealed class EventLoopTests : IDisposable
{
    private readonly LoopFixture _fixture = new();

    private EventLoop Loop => _fixture.Loop;

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task Post_FromManyThreads_RunsAllAndKeepsEachThreadsOrder()
    {
        const int threads = 4;
        const int each = 5_000;
        var seen = new List<int>[threads];
        Thread[] posters = Enumerable.Range(0, threads).Select(t =>
        {
            seen[t] = [];
            return new Thread(() =>
            {
                for (int i = 0; i < each; i++)
                {
                    Loop.Post(number => seen[t].Add((int)number!), i);
                }
            });
        }).ToArray();
        Array.ForEach(posters, static p => p.Start());
        Array.ForEach(posters, static p => p.Join());
        await _fixture.UntilAsync(() => seen.All(static s => s.Count == each), "every post ran");
        seen.ShouldAllBe(s => s.SequenceEqual(Enumerable.Range(0, each)));
    }

    [Fact]
    public async Task Post_WorkThatPostsItselfForEver_DoesNotKeepSocketsWaiting()
    {
        using SocketPair pair = await SocketPair.OpenAsync(_fixture);
        bool stop = false;
        bool heard = false;
        void Again(object? state)
        {
            if (!stop)
            {
                Loop.Post(Again, null);
            }
        }

        await _fixture.OnAsync(() => pair.Near.Owner = new Ear(() => stop = heard = true));
        Loop.Post(Again, null);
        await pair.Far.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => heard, "the socket was heard");
    }

    [Fact]
    public async Task OnEvents_HandlerThrows_CostsOnlyThatHandler()
    {
        using SocketPair bad = await SocketPair.OpenAsync(_fixture);
        using SocketPair good = await SocketPair.OpenAsync(_fixture);
        bool heard = false;
        await _fixture.OnAsync(() =>
        {
            bad.Near.Owner = new Ear(static () => throw new InvalidOperationException("a defect"));
            good.Near.Owner = new Ear(() => heard = true);
        });
        await bad.Far.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => Loop.Faults == 1, "the defect was counted");
        await good.Far.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => heard, "the other was heard");
    }

    [Fact]
    public async Task Requeue_HandlerThatAlwaysHasMore_LetsOthersRun()
    {
        using SocketPair greedy = await SocketPair.OpenAsync(_fixture);
        using SocketPair modest = await SocketPair.OpenAsync(_fixture);
        int turns = 0;
        int heardAt = -1;
        await _fixture.OnAsync(() =>
        {
            greedy.Near.Owner = new Ear(() =>
            {
                turns++;
                if (heardAt < 0)
                {
                    Loop.Requeue(greedy.Near);
                }
            });
            modest.Near.Owner = new Ear(() => heardAt = turns);
            Loop.Requeue(greedy.Near);
        });
        await _fixture.UntilAsync(() => turns > 100, "the greedy one has turns");
        await modest.Far.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => heardAt >= 0, "the modest one was heard");
    }

    [Fact]
    public async Task Unregister_InTheBatchThatHoldsItsEvent_NeitherItNorItsSuccessorIsCalled()
    {
        using SocketPair first = await SocketPair.OpenAsync(_fixture);
        using SocketPair second = await SocketPair.OpenAsync(_fixture);
        using SocketPair third = await SocketPair.OpenAsync(_fixture);
        int calls = 0;
        int oldSlot = -2;
        int newSlot = -2;
        await _fixture.OnAsync(() =>
        {
            // Whichever is heard first closes the other, whose event is already in the batch, and registers a third.
            first.Near.Owner = new Ear(() => Replace(second.Near));
            second.Near.Owner = new Ear(() => Replace(first.Near));
            Loop.Unregister(third.Near, closing: false);
            first.Far.Send(new byte[1]);
            second.Far.Send(new byte[1]);
        });
        await _fixture.UntilAsync(() => calls > 0, "one was heard");
        calls.ShouldBe(1);
        newSlot.ShouldNotBe(oldSlot);

        void Replace(LoopSocket other)
        {
            calls++;
            oldSlot = other.Slot;
            other.Close();
            third.Near.Owner = new Ear(() => calls += 100);
            Loop.Register(third.Near, Epoll.In | Epoll.EdgeTriggered);
            newSlot = third.Near.Slot;
        }
    }

    /// <summary>A thread that had no processor for a while finds both: the timer is due, and what it waits for is there.</summary>
    [Fact]
    public async Task Timer_DueTogetherWithWhatItWaitsFor_ComesBehindIt()
    {
        using SocketPair pair = await SocketPair.OpenAsync(_fixture);
        bool heard = false, elapsed = false;
        var limit = new LoopTimer(_ => elapsed = true, null);
        await _fixture.OnAsync(() => pair.Near.Owner = new Ear(() =>
        {
            heard = true;
            Loop.Timers.Cancel(limit);
        }));
        await _fixture.OnAsync(() =>
        {
            Loop.Timers.Arm(limit, TimeSpan.FromMilliseconds(20));
            pair.Far.Send(new byte[1]);
            Thread.Sleep(100);
        });
        await _fixture.UntilAsync(() => heard || elapsed, "one of both came");
        await _fixture.UntilAsync(() => heard, "the socket was heard");
        elapsed.ShouldBeFalse();
    }

    [Fact]
    public async Task Watch_EpollRefusesTheDescriptor_ClosesItAndKeepsNothing()
    {
        string path = Path.GetTempFileName();
        int fd = await _fixture.OnAsync(() =>
        {
            // epoll takes no regular files: EPERM.
            Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path);
            var socket = new LoopSocket(Loop, (int)file.DangerousGetHandle());
            file.SetHandleAsInvalid();
            int number = socket.Fd;
            socket.Watch(forWriting: true).ShouldBe(Errno.EPERM);
            socket.IsClosed.ShouldBeTrue();
            socket.Slot.ShouldBe(-1);
            return number;
        });
        new FileInfo($"/proc/self/fd/{fd}").LinkTarget.ShouldNotBe(path);
        File.Delete(path);
        using SocketPair next = await SocketPair.OpenAsync(_fixture);
    }

    private sealed class Ear(Action heard) : ISocketOwner
    {
        public void OnSocketReady(LoopSocket socket) => heard();
    }
}
