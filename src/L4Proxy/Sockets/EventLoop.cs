using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// One epoll loop on one thread. Everything registered here is touched by this thread only, so nothing on the data
/// path takes a lock; other threads reach it through <see cref="Post"/>. Continuations run inline: never await here
/// what another thread completes, unless the completion is posted back.
/// </summary>
internal sealed unsafe partial class EventLoop : IDisposable
{
    private const int EventBatch = 256;
    private const int MostFullBatches = 8;
    private const int NoClock = 0; // CLOCK_REALTIME: no thread's

    [ThreadStatic]
    private static EventLoop? t_current;

    private readonly int _epoll;
    private readonly ILogger _log;
    private readonly Thread _thread;
    private readonly List<int> _freedSlots = [];
    private readonly Stack<int> _freeSlots = new();
    private List<IoHandler> _requeued = [];
    private List<IoHandler> _requeuedNow = [];
    private IoHandler?[] _handlers = new IoHandler?[256];
    private int _usedSlots = 1;
    private volatile int _clock = NoClock;
    private volatile bool _stopping;

    public EventLoop(int index, ILogger log)
    {
        Index = index;
        _log = log;
        _epoll = Check(Epoll.Create(Epoll.CloseOnExec), "epoll_create1");
        _wakeup = Check(Epoll.EventFd(0, Epoll.CloseOnExec | Epoll.EventFdNonBlocking), "eventfd");
        Control(Epoll.ControlAdd, _wakeup, Epoll.In, slot: 0);
        Timers = new TimerWheel(Environment.TickCount64);
        _thread = new Thread(Run) { Name = $"loop-{index}", IsBackground = true };
    }

    /// <summary>The loop this thread runs; null on other threads.</summary>
    public static EventLoop? Current => t_current;

    public int Index { get; }

    public LoopMemory Memory { get; } = new();

    public KernelPipePool Pipes { get; } = new();

    public TimerWheel Timers { get; }

    /// <summary>Exceptions that reached the loop: each is a defect, logged, and costs only its own handler.</summary>
    public long Faults { get; private set; }

    /// <summary>Monotonic milliseconds, read once per batch.</summary>
    public long NowMilliseconds { get; private set; } = Environment.TickCount64;

    /// <summary>Nanoseconds of a processor that the loop has used; 0 before it runs and where the kernel does not tell. Any thread.</summary>
    public long ProcessorTime => _clock == NoClock ? 0 : Math.Max(ThreadClock.Read(_clock), 0);

    public void Start() => _thread.Start();

    /// <summary>Calls <paramref name="handler"/> for these events from now on.</summary>
    /// <exception cref="IOException">The kernel refused.</exception>
    public void Register(IoHandler handler, uint events)
    {
        int error = TryRegister(handler, events);
        if (error != 0)
        {
            throw new IOException($"epoll_ctl: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    /// <summary>The same; 0, or the errno with which the kernel refused. Nothing is kept of a handler that was refused.</summary>
    public int TryRegister(IoHandler handler, uint events)
    {
        int slot = _freeSlots.TryPop(out int free) ? free : _usedSlots++;
        if (slot >= _handlers.Length)
        {
            Array.Resize(ref _handlers, _handlers.Length * 2);
        }

        _handlers[slot] = handler;
        handler.Slot = slot;
        EpollEvent registration = new() { Events = events, DataLow = (uint)slot };
        if (Epoll.Control(_epoll, Epoll.ControlAdd, handler.Fd, &registration) == 0)
        {
            return 0;
        }

        int error = Marshal.GetLastSystemError();
        _handlers[slot] = null;
        handler.Slot = -1;
        _freeSlots.Push(slot);
        return error;
    }

    public void Modify(IoHandler handler, uint events) => Control(Epoll.ControlModify, handler.Fd, events, handler.Slot);

    /// <summary>Forgets a handler; its slot is reused only after the current batch, so late events find nothing.</summary>
    /// <param name="handler">Registered or not.</param>
    /// <param name="closing">True when the descriptor is closed next, which leaves the epoll set by itself.</param>
    public void Unregister(IoHandler handler, bool closing)
    {
        if (handler.Slot < 0)
        {
            return;
        }

        if (!closing)
        {
            Epoll.Control(_epoll, Epoll.ControlDelete, handler.Fd, null);
        }

        _handlers[handler.Slot] = null;
        _freedSlots.Add(handler.Slot);
        handler.Slot = -1;
    }

    /// <summary>Calls <paramref name="handler"/> again, without events, after the others had their turn.</summary>
    public void Requeue(IoHandler handler) => _requeued.Add(handler);

    /// <summary>Stops after the current batch and waits for the thread.</summary>
    public void Dispose()
    {
        _stopping = true;
        Post(static _ => { }, null);
        if (_thread.IsAlive && t_current != this)
        {
            _thread.Join();
        }

        Descriptors.Close(_wakeup);
        Descriptors.Close(_epoll);
        Pipes.Dispose();
    }

    private static int Check(int result, string call) =>
        result >= 0 ? result : throw new IOException($"{call}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastSystemError())}");

    private void Control(int operation, int fd, uint events, int slot)
    {
        EpollEvent registration = new() { Events = events, DataLow = (uint)slot };
        Check(Epoll.Control(_epoll, operation, fd, &registration), "epoll_ctl");
    }

    private void Run()
    {
        t_current = this;
        _clock = ThreadClock.OfCaller() ?? NoClock;
        EpollEvent* events = stackalloc EpollEvent[EventBatch];
        int fullBatches = 0;
        while (!_stopping)
        {
            int timeout = _requeued.Count > 0 || _turnEnd.Count > 0 ? 0 : Timers.MillisecondsToNext(Environment.TickCount64);
            int count = Epoll.Wait(_epoll, events, EventBatch, timeout);
            NowMilliseconds = Environment.TickCount64;
            for (int i = 0; i < count; i++)
            {
                Dispatch((int)events[i].DataLow, events[i].Events);
            }

            RunRequeued();

            // Behind what has come: where the thread had no processor for a while, an answer that was there in time is not too late. A full batch
            // tells that more has come, but not for ever: timers go on where every batch is full.
            if (count < EventBatch || ++fullBatches == MostFullBatches)
            {
                fullBatches = 0;
                Timers.Advance(NowMilliseconds, this);
            }

            RunTurnEnd();
            ReuseSlots();
        }
    }

    private void Dispatch(int slot, uint events)
    {
        if (slot == 0)
        {
            RunPosted();
        }
        else if (_handlers[slot] is { } handler)
        {
            Guarded(handler, events);
        }
    }

    private void RunRequeued()
    {
        if (_requeued.Count == 0)
        {
            return;
        }

        (_requeued, _requeuedNow) = (_requeuedNow, _requeued);
        foreach (IoHandler handler in _requeuedNow)
        {
            if (handler.Slot >= 0)
            {
                Guarded(handler, 0);
            }
        }

        _requeuedNow.Clear();
    }

    private void ReuseSlots()
    {
        foreach (int slot in CollectionsMarshal.AsSpan(_freedSlots))
        {
            _freeSlots.Push(slot);
        }

        _freedSlots.Clear();
    }

#pragma warning disable CA1031 // A defect in one connection must not take the loop, and every other connection, down.
    private void Guarded(IoHandler handler, uint events)
    {
        try
        {
            handler.OnEvents(events);
        }
        catch (Exception error)
        {
            Fault(error);
        }
    }

    internal void Guarded(Action<object?> run, object? state)
    {
        try
        {
            run(state);
        }
        catch (Exception error)
        {
            Fault(error);
        }
    }
#pragma warning restore CA1031

    /// <summary>Logs what an operator has to know; the caller bounds how often.</summary>
    internal void Warn(string text) => _log.LogWarning("{Text}", text);

    internal void Fault(Exception error)
    {
        Faults++;
        _log.LogError(error, "loop {Index}: an exception reached the event loop", Index);
    }
}
