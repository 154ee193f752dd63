using System.Text.RegularExpressions;

namespace MeshL4.Init.Tests.Killed;

/// <summary>What strace -f wrote of one program: which of its threads made which calls, without those of the processes that it started.</summary>
internal sealed partial class ThreadTrace
{
    private readonly string _main;
    private readonly HashSet<string> _threads;
    private readonly List<(string Thread, string Call, string Arguments)> _calls = [];

    /// <summary>Reads the lines; the first one is the main thread's.</summary>
    public ThreadTrace(IEnumerable<string> lines)
    {
        var makesThread = new Dictionary<string, bool>();
        (string Thread, string Text)[] all = [.. lines.Select(l => Line().Match(l)).Where(m => m.Success).Select(m => (m.Groups[1].Value, m.Groups[2].Value))];
        _main = all[0].Thread;
        _threads = [_main];
        foreach ((string thread, string text) in all.Where(a => _threads.Contains(a.Thread)))
        {
            if (Call().Match(text) is { Success: true } call)
            {
                _calls.Add((thread, call.Groups[1].Value, call.Groups[2].Value));
                makesThread[thread] = text.Contains("CLONE_THREAD", StringComparison.Ordinal);
            }

            // Told at once, or when the call is resumed.
            if (text.Contains("clone", StringComparison.Ordinal) && makesThread.GetValueOrDefault(thread) && Result().Match(text) is { Success: true } made)
            {
                _threads.Add(made.Groups[1].Value);
            }
        }
    }

    /// <summary>How many threads there were.</summary>
    public int Threads => _threads.Count;

    /// <summary>The calls of the main thread that act: that send, set an option, start a process or open a file to write to it.</summary>
    public IReadOnlyList<string> ByMain => Acting(t => t == _main);

    /// <summary>The same of all other threads.</summary>
    public IReadOnlyList<string> ByOthers => Acting(t => t != _main);

    private List<string> Acting(Func<string, bool> whose) =>
        [.. _calls.Where(c => whose(c.Thread) && IsActing(c.Call, c.Arguments)).Select(c => $"{c.Call}({c.Arguments}")];

    private static bool IsActing(string call, string rest) => call switch
    {
        "clone" or "clone3" => !rest.Contains("CLONE_THREAD", StringComparison.Ordinal),
        // The runtime names its threads.
        "openat" => Writing().IsMatch(rest) && !ThreadName().IsMatch(rest),
        _ => true,
    };

    [GeneratedRegex(@"^(\d+) +(.*)$")]
    private static partial Regex Line();

    [GeneratedRegex(@"^(\w+)\((.*)$")]
    private static partial Regex Call();

    [GeneratedRegex(@"= (\d+)$")]
    private static partial Regex Result();

    [GeneratedRegex("O_WRONLY|O_RDWR|O_CREAT")]
    private static partial Regex Writing();

    [GeneratedRegex(@"""/proc/self/task/\d+/comm""")]
    private static partial Regex ThreadName();
}
