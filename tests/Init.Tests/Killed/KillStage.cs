using System.Diagnostics;
using System.Globalization;
using MeshL4.Interceptor.Linux;
using Shouldly;

namespace MeshL4.Init.Tests.Killed;

/// <summary>A network namespace of its own, and programs first on the path that strace counts the writing system calls of, or kills at one
/// of them together with the meshl4-init that started them. Root only.</summary>
internal sealed class KillStage : IDisposable
{
    private const string Writing = "sendmsg,sendto,setsockopt,write";

    // What a verification does beside: sockets and processes of its own.
    private const string Acting = "socket,bind,listen,connect,clone,clone3,vfork";
    private const int Killed = 137;

    private static readonly string Init = Path.Combine(AppContext.BaseDirectory, "meshl4-init");
    private static readonly string[] Counted = [.. Writing.Split(','), .. Acting.Split(',')];
    private static readonly string[] Programs =
    [
        "nft", "ip", .. from family in new[] { "iptables", "ip6tables" } from kind in new[] { "nft", "legacy" } from verb in new[] { "save", "restore" } select $"{family}-{kind}-{verb}",
    ];

    // $PPID is the meshl4-init that waits for this program: it goes in the same moment, as both do when a container is killed.
    private const string Wrapper = """
        #!/bin/sh
        n=$(cat FOLDER/n); n=$((n + 1)); echo $n > FOLDER/n
        if [ "$KILL_PROGRAM" = $n ]; then
            strace -qq -o /dev/null -e inject=$KILL_CALL:signal=KILL:when=$KILL_NTH REAL "$@"
            kill -KILL $PPID; exit 1
        fi
        [ "$KILL_PROGRAM" != count ] || exec strace -qq -o FOLDER/trace.$n.NAME -e trace=sendmsg,sendto,setsockopt REAL "$@"
        exec REAL "$@"
        """;

    // The lock goes down to every process that is started from here: it is free when the last of them has ended.
    private const string Alive = """exec 9> "$0/alive"; flock 9; echo 0 > "$0/n"; PATH="$0:$PATH" "$@"; code=$?; exec 9>&-; flock "$0/alive" true; exit $code""";

    private readonly string _folder = Directory.CreateTempSubdirectory("meshl4-kill-").FullName;
    private readonly string _namespace = $"ml4k-{Guid.NewGuid().ToString("N")[..8]}";

    // What the last program said.
    private string _said = "";

    public KillStage()
    {
        foreach (string name in Programs)
        {
            string file = Path.Combine(_folder, name);
            string real = Must("sh", "-c", $"command -v {name}").Trim();
            File.WriteAllText(file, Wrapper.Replace("FOLDER", _folder).Replace("REAL", real).Replace("NAME", name) + "\n");
            Must("chmod", "700", file);
        }

        Must("ip", "netns", "add", _namespace);
        Must("ip", "-n", _namespace, "link", "set", "lo", "up");
    }

    /// <summary>Everything of ours that could be left, and the routes and addresses of the namespace.</summary>
    public string State() => Must("nsenter", $"--net=/run/netns/{_namespace}", "sh", "-c", """
        { nft -s list ruleset; iptables-legacy-save; ip6tables-legacy-save; } | grep -i meshl4 | sed 's/\[.*\]//'
        ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip -br addr
        """);

    /// <summary>Our nft table, or nothing; without what packets taught it.</summary>
    public string Table() => Must("nsenter", $"--net=/run/netns/{_namespace}", "sh", "-c", "nft -s list table inet meshl4 2>/dev/null | sed -e '/elements = {.*}/d' -e '/elements = {/,/}/d'");

    /// <summary>Runs the program inside this process; what it says is part of the failure when it ends with anything but 0.</summary>
    public void Run(params string[] arguments)
    {
        using var said = new StringWriter();
        int code = -1;
        var thread = new Thread(() =>
        {
            Namespaces.EnterNetwork($"/run/netns/{_namespace}");
            code = Program.Run(arguments, _ => null, said, said, _ => { });
        });
        thread.Start();
        thread.Join();
        code.ShouldBe(0, $"{string.Join(' ', arguments)}: {said}");
    }

    /// <summary>The same in a process of its own, from which a verification can start others, and whose lock no program that another test
    /// starts can have for a moment too.</summary>
    public void RunAlone(params string[] arguments) => Start("none", "", 0, [Init, .. arguments]).ShouldBe(0, $"{string.Join(' ', arguments)}: {_said}");

    /// <summary>Runs the program to its end and lists its writing calls and those of what it starts: these first, in order. strace
    /// follows no thread: of meshl4-init itself they are the main thread's, which alone writes (<see cref="WritingThreadTests"/>). Of started programs they are the calls that send or set an
    /// option.</summary>
    /// <param name="arguments">The program's.</param>
    /// <param name="acting">Are calls that open sockets and start processes among them?</param>
    public IReadOnlyList<KillPoint> Count(string[] arguments, bool acting)
    {
        string own = Path.Combine(_folder, "own");
        Start("count", "", 0, ["strace", "-qq", "-o", own, "-e", $"trace={Writing}{(acting ? $",{Acting}" : "")}", Init, .. arguments]).ShouldBe(0, _said);
        return
        [
            .. Directory.GetFiles(_folder, "trace.*").Select(f => (File: f, Words: Path.GetFileName(f).Split('.')))
                .Select(t => (t.File, Run: int.Parse(t.Words[1], CultureInfo.InvariantCulture), Name: t.Words[2])).OrderBy(t => t.Run).SelectMany(t => Points(t.File, t.Run, t.Name)),
            .. Points(own, 0, "meshl4-init"),
        ];
    }

    /// <summary>Runs the program until <paramref name="point"/>; false when it ended before. That may be for the last calls of meshl4-init itself, whose
    /// runtime does not always make as many.</summary>
    public bool Kill(KillPoint point, string[] arguments)
    {
        string[] own = ["strace", "-qq", "-o", "/dev/null", "-e", $"inject={point.Call}:signal=KILL:when={point.Nth}", Init, .. arguments];
        int code = Start($"{point.Program}", point.Call, point.Nth, point.Program == 0 ? own : [Init, .. arguments]);
        code.ShouldBeOneOf(point.Program == 0 ? [Killed, 0] : [Killed]);
        return code == Killed;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Must("ip", "netns", "del", _namespace);
        Directory.Delete(_folder, true);
    }

    private static IEnumerable<KillPoint> Points(string trace, int program, string name)
    {
        var seen = new Dictionary<string, int>();
        foreach (string call in File.ReadLines(trace).Select(l => l.Split('(')[0]).Where(c => Counted.Contains(c)))
        {
            seen[call] = seen.GetValueOrDefault(call) + 1;
            yield return new(program, name, call, seen[call]);
        }
    }

    private int Start(string program, string call, int nth, string[] command)
    {
        var start = new ProcessStartInfo("nsenter", [$"--net=/run/netns/{_namespace}", "sh", "-c", Alive, _folder, .. command])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment = { ["KILL_PROGRAM"] = program, ["KILL_CALL"] = call, ["KILL_NTH"] = $"{nth}" },
        };
        (int code, string output, _said) = End(start);
        _said += output;
        return code;
    }

    private static string Must(string program, params string[] arguments)
    {
        (int code, string output, string error) = End(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true });
        code.ShouldBe(0, $"{program}: {error}");
        return output;
    }

    private static (int Code, string Output, string Error) End(ProcessStartInfo start)
    {
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }
}
