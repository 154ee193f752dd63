using System.Diagnostics;
using System.Globalization;
using MeshL4.Interceptor.Apply;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

/// <summary>However a program behaves, whoever started it goes on.</summary>
public class CommandRunnerTests
{
    // Far more than the limit that the runner is given, and far less than the programs last.
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    public async Task Run_ProgramThatHangsWithoutReading_IsEndedAtTheLimit(int input)
    {
        Task<CommandResult> run = Task.Run(() => new CommandRunner(TimeSpan.FromSeconds(1)).Run("sh", ["-c", "exec sleep 600"], new string('x', input)));
        (await Should.ThrowAsync<RedirectException>(() => run.WaitAsync(Bound))).Failure.ShouldBe(RedirectFailure.Timeout);
    }

    [Fact]
    public async Task Run_ProcessThatOutlivesTheProgramHoldsItsOutput_IsNotWaitedForBeyondTheLimit()
    {
        string file = Path.GetTempFileName();
        try
        {
            // Long enough for the shell to say whom it started, on a busy machine too.
            Task<CommandResult> run = Task.Run(() => new CommandRunner(TimeSpan.FromSeconds(10)).Run("sh", ["-c", "sleep 600 & echo $! > \"$0\"", file]));
            (await Should.ThrowAsync<RedirectException>(() => run.WaitAsync(Bound))).Failure.ShouldBe(RedirectFailure.Timeout);
        }
        finally
        {
            using Process sleeping = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(file), CultureInfo.InvariantCulture));
            sleeping.Kill();
            File.Delete(file);
        }
    }

    [Fact]
    public void Run_MuchInput_ComesWholeAndInOrder()
    {
        string input = string.Join('\n', Enumerable.Range(0, 200_000));
        new CommandRunner().Run("cat", [], input).Output.ShouldBe(input);
    }

    [Fact]
    public void Run_ProgramThatEndsWithoutReading_SaysHowItEnded() =>
        new CommandRunner().Run("sh", ["-c", "echo no >&2; exit 3"], new string('x', 1 << 20)).ShouldBe(new CommandResult(3, "", "no\n"));
}
