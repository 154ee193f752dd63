using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 15: line ends, escapes and quotes of a client became lines of the log.</summary>
public sealed class Entry15_BytesInLogLines
{
    [Fact]
    public void CommandWithControls_LeavesNoBytesInTheLogs()
    {
        using var front = new RedisFront();
        string[] names = ["GET\r\nforged", "\u001b[31mred", "\"quoted\" \\", "\0\u0007", "\u00ff\u00fe"];
        foreach (string name in names)
        {
            using Call client = Call.To(front.Port);
            client.Send(RedisFront.Command(name, name));
            client.ReadLine().ShouldNotBeNull();
            client.Send("*1\r\n!" + name + "\r\n");
        }

        IReadOnlyList<string> lines = front.Proxy.LoggedLines(names.Length, "redis_protocol_error");
        lines.ShouldAllBe(static line => !line.Contains("forged", StringComparison.Ordinal) && !line.Contains("red\u001b", StringComparison.Ordinal));
        string everything = string.Join('\n', lines) + front.Proxy.Log;
        everything.ShouldNotContain("\u001b[31m");
        everything.ShouldNotContain("forged");
        front.Witness();
    }
}
