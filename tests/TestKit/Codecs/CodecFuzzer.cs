using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>A fuzzer without its codec's type.</summary>
public interface ICodecFuzzer
{
    /// <summary>Inputs tried so far.</summary>
    long Inputs { get; }

    /// <summary>Inputs that were kept because the codec saw something new in them.</summary>
    int Found { get; }

    /// <summary>Tries inputs until the count is reached or the time is over, whichever is first.</summary>
    /// <param name="inputs">How many at most.</param>
    /// <param name="time">How long at most.</param>
    /// <exception cref="ConformanceException">The codec failed; the message has the seed and the bytes.</exception>
    void Run(long inputs, TimeSpan time);

    /// <summary>Tries one input; later ones are also made of it.</summary>
    void Try(Side from, byte[] bytes);
}

/// <summary>
/// Gives a codec inputs made of its golden frames. Whatever they are, the codec must not throw, must come to an end, allocates nothing
/// while scanning and little while writing, sees the same frames however the bytes are cut, and what it writes from them parses again.
/// </summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public sealed class CodecFuzzer<TCodec> : ICodecFuzzer
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private const int MostOnce = 5;

    /// <summary>What was seen is forgotten at this many: a run of days has a bound, and what is common is soon known again.</summary>
    private const int MostSeen = 1 << 20;

    /// <summary>What edits and local replies of one input may allocate: far over what they need, far under what a length in it can say.</summary>
    private const long MostMemory = 16 * 1024 * 1024;
    private static readonly CodecLimits Limits = CodecLimits.Default with { MaxHead = TCodec.Traits.MaxHead, MaxFrame = 1 << 30 };

    private readonly int _seed;
    private readonly Random _random;
    private readonly CodecMutation _mutation;
    private readonly List<FuzzSeed>[] _seeds;
    private readonly HashSet<int> _seen = [];
    private readonly FrameLog _whole = new(CodecMutation.MostBytes + 1);
    private readonly FrameLog _pieces = new(CodecMutation.MostBytes + 1);
    private readonly int[] _cuts = new int[6];
    private readonly FrameExercise<TCodec> _exercise = new(Limits);
    private readonly int[] _golden;
    private volatile byte[] _current = [];
    private volatile Side _currentFrom;
    private long _inputs;

    /// <summary>A fuzzer that knows the golden frames.</summary>
    /// <param name="sample">The frames.</param>
    /// <param name="seed">Equal seeds give equal inputs.</param>
    public CodecFuzzer(CodecSample sample, int seed)
    {
        _seed = seed;
        _random = new Random(seed);
        _mutation = new CodecMutation(sample.Marks, _random);
        _seeds = [.. Enum.GetValues<Side>().Select(side => sample.From(side).Select(static frame => new FuzzSeed(frame.Bytes, frame.Lengths)).ToList())];
        _golden = [.. _seeds.Select(static seeds => seeds.Count)];
    }

    /// <summary>How long one input may take before it counts as a hang. Far over what a loaded machine needs.</summary>
    public TimeSpan HangAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Inputs of one side that later ones are made of, at most; the golden frames are always among them.</summary>
    public int MostSeeds { get; init; } = 4096;

    /// <summary>Inputs that later ones are made of.</summary>
    public int Held => _seeds.Sum(static seeds => seeds.Count);

    /// <inheritdoc/>
    public long Inputs => Volatile.Read(ref _inputs);

    /// <inheritdoc/>
    public int Found { get; private set; }

    /// <inheritdoc/>
    public void Run(long inputs, TimeSpan time)
    {
        long until = Environment.TickCount64 + (long)time.TotalMilliseconds;
        OnWatchedThread(() =>
        {
            for (long i = 0; i < inputs && Environment.TickCount64 < until; i++)
            {
                var side = (Side)_random.Next(2);
                List<FuzzSeed> seeds = _seeds[(int)side];
                Judge(side, _mutation.Of(seeds[_random.Next(seeds.Count)], seeds[_random.Next(seeds.Count)]));
            }
        });
    }

    /// <inheritdoc/>
    public void Try(Side from, byte[] bytes) => OnWatchedThread(() => Judge(from, bytes));

    /// <summary>A hang cannot be caught on the thread that hangs.</summary>
    private void OnWatchedThread(Action work)
    {
        ConformanceException? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                work();
            }
            catch (ConformanceException e)
            {
                failure = e;
            }
        }) { IsBackground = true, Name = "fuzz" };
        thread.Start();
        long seen = -1;
        while (!thread.Join(HangAfter))
        {
            long now = Inputs;
            if (now == seen)
            {
                throw new ConformanceException($"{TCodec.Traits.Name}: no end within {HangAfter.TotalSeconds} s, seed {_seed}, input {now}: {ConformanceException.Show(_current)}")
                {
                    Input = LineOf(_currentFrom, _current),
                };
            }

            seen = now;
        }

        if (failure is not null)
        {
            throw failure;
        }
    }

    private void Judge(Side from, byte[] bytes)
    {
        (_current, _currentFrom) = (bytes, from);
        try
        {
            Scan(from, bytes);
            Exercise(from, bytes);
        }
        catch (Exception e)
        {
            throw new ConformanceException($"{TCodec.Traits.Name}, seed {_seed}, input {_inputs} from {from}: {e.Message}; bytes {ConformanceException.Show(bytes)}", e) { Input = LineOf(from, bytes) };
        }

        Volatile.Write(ref _inputs, _inputs + 1);
        if (_seen.Count == MostSeen)
        {
            _seen.Clear();
        }

        if (_seen.Add(Signature()) && bytes.Length > 0)
        {
            Found++;
            Hold(from, new FuzzSeed(bytes, []));
        }
    }

    /// <summary>At the bound another one makes room, or a long run would learn nothing more.</summary>
    private void Hold(Side from, FuzzSeed seed)
    {
        List<FuzzSeed> seeds = _seeds[(int)from];
        int golden = _golden[(int)from];
        if (seeds.Count < MostSeeds || seeds.Count == golden)
        {
            seeds.Add(seed);
        }
        else
        {
            seeds[_random.Next(golden, seeds.Count)] = seed;
        }
    }

    private static string LineOf(Side from, byte[] bytes) => $"{from} {Convert.ToHexString(bytes)}";

    private void Scan(Side from, byte[] bytes)
    {
        for (int i = 0; i < _cuts.Length; i++)
        {
            _cuts[i] = _random.Next(bytes.Length + 1);
        }

        Array.Sort(_cuts);

        // What the process allocates once, such as a type's statics or what replaces code that is compiled better, is not the codec's: only
        // what comes every time is.
        long allocated = Allocated(from, bytes);
        for (int again = 0; allocated > 0 && again < MostOnce; again++)
        {
            allocated = Allocated(from, bytes);
        }

        if (allocated > 0)
        {
            throw new ConformanceException($"{allocated} bytes allocated by scanning");
        }
    }

    private void Exercise(Side from, byte[] bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        _exercise.Run(from, bytes);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > MostMemory)
        {
            throw new ConformanceException($"{allocated} bytes allocated by edits and local replies of an input of {bytes.Length}");
        }
    }

    private long Allocated(Side from, byte[] bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        FrameScan<TCodec>.Run(from, Limits, bytes, [], _whole);
        FrameScan<TCodec>.Run(from, Limits, bytes, _cuts, _pieces);
        RequireSame("cut at random");
        FrameScan<TCodec>.RunByteByByte(from, Limits, bytes, _pieces);
        RequireSame("byte by byte");
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private void RequireSame(string how)
    {
        if (!_pieces.IsSameAs(_whole))
        {
            throw new ConformanceException($"{how} ({string.Join(", ", _cuts)}) the frames are {_pieces}, in one piece {_whole}");
        }
    }

    /// <summary>What the codec saw, without the sizes: an input is new when it is seen differently.</summary>
    private int Signature()
    {
        var hash = default(HashCode);
        foreach (ScannedFrame frame in _whole.Frames[..Math.Min(_whole.Count, 4)])
        {
            hash.Add(HashCode.Combine(frame.Status, frame.Head.Kind, frame.Head.Flags, frame.Head.Fault));
        }

        return hash.ToHashCode();
    }
}
