using System.Diagnostics;
using MeshL4.Interceptor.Linux;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>What apply and cleanup do while another verification runs, and does not end. Root only.</summary>
public sealed class AnotherVerificationTests : IDisposable
{
    private const int Looks = 3000;

    // Half a second in all, where the program itself waits for 30 seconds more for each try.
    private const string ProbeTimeout = "100ms";
    private static readonly TimeSpan ChildLimit = TimeSpan.FromMilliseconds(150);

    private static readonly string Init = Path.Combine(AppContext.BaseDirectory, "meshl4-init");

    private readonly string _namespace = $"ml4a-{Guid.NewGuid().ToString("N")[..8]}";

    public AnotherVerificationTests()
    {
        VerifyScript.Run($"ip netns add {_namespace} && ip -n {_namespace} link set lo up").Code.ShouldBe(0);
        // Stands for the pair that the other verification uses.
        Must("ip", "link", "add", "ml4near", "type", "veth", "peer", "name", "ml4far0");
    }

    // Both wait at once.
    [Fact]
    public async Task ApplyAndCleanup_AnotherVerificationRuns_NothingIsWrittenNorTaken()
    {
        using Process holder = Start("nft", "-i");
        holder.StandardInput.WriteLine("add table inet meshl4-verify { flags owner; }");
        Await(() => Must("nft", "list", "tables").Contains("meshl4-verify", StringComparison.Ordinal));
        using Process monitor = Start("nft", "monitor");
        _ = ReadUntilTold(monitor, "begin");

        (int Code, string Error)[] ended = await Task.WhenAll(Run("cleanup"), Run("apply", "-b", "80"));
        string written = ReadUntilTold(monitor, "finish");
        End(monitor);

        foreach ((int code, string error) in ended)
        {
            code.ShouldBe(6, error);
            error.ShouldContain("another verification runs in this network namespace (while it does, there is a table inet meshl4-verify); it was waited for 0.5 s");
        }

        written.ShouldNotContain("meshl4");
        Must("ip", "link", "show", "ml4near");

        End(holder);
        Await(() => !Must("nft", "list", "tables").Contains("meshl4-verify", StringComparison.Ordinal));
        Must(Init, "cleanup");
        Must("ip", "-br", "link").ShouldNotContain("ml4near");
        Must(Init, "-b", "80");
        Must("nft", "list", "tables").ShouldNotContain("verify");
    }

    /// <inheritdoc/>
    public void Dispose() => VerifyScript.Run($"ip netns del {_namespace}").Code.ShouldBe(0);

    private static void Await(Func<bool> come)
    {
        for (int i = 0; i < Looks && !come(); i++)
        {
        }

        come().ShouldBeTrue();
    }

    private static void End(Process process)
    {
        process.Kill();
        process.WaitForExit();
    }

    // What the monitor tells before it tells of a table that is made again and again: it may not be listening yet.
    private string ReadUntilTold(Process monitor, string table)
    {
        var told = new List<string>();
        Task<bool> seen = Task.Run(() =>
        {
            while (monitor.StandardOutput.ReadLine() is string line)
            {
                told.Add(line);
                if (line.Contains($"add table ip {table}", StringComparison.Ordinal))
                {
                    return true;
                }
            }

            return false;
        });
        for (int i = 0; i < Looks && !seen.IsCompleted; i++)
        {
            Must("nft", $"add table ip {table}; delete table ip {table}");
        }

        seen.Result.ShouldBeTrue();
        return string.Join('\n', told);
    }

    // Inside this process, where the wait can be shortened.
    private Task<(int Code, string Error)> Run(params string[] arguments) => Task.Factory.StartNew(() =>
    {
        Namespaces.EnterNetwork($"/run/netns/{_namespace}");
        using StringWriter output = new(), error = new();
        int code = Program.Run([.. arguments, "--probe-timeout", ProbeTimeout], _ => null, output, error, _ => { }, ChildLimit);
        return (code, error.ToString());
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private Process Start(params string[] command) => Process.Start(new ProcessStartInfo("nsenter", [$"--net=/run/netns/{_namespace}", .. command])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    private string Must(params string[] command)
    {
        using Process process = Start(command);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, $"{string.Join(' ', command)}: {error.Result}{output}");
        return output;
    }
}
