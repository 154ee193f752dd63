using System.Text.Json.Nodes;

namespace MeshL4.TestKit;

/// <summary>A program of another language that is told what to do by JSON lines on its standard input and tells what it met by JSON lines
/// on its standard output. Its end is the end of that input.</summary>
internal sealed class JsonProcess : IAsyncDisposable
{
    private readonly BackgroundProgram _program;
    private readonly List<JsonNode> _events = [];
    private int _linesRead;

    private JsonProcess(BackgroundProgram program) => _program = program;

    /// <summary>Everything it met so far, in order.</summary>
    public IReadOnlyList<JsonNode> Events
    {
        get
        {
            lock (_events)
            {
                foreach (string line in _program.Output.Skip(_linesRead))
                {
                    _linesRead++;
                    if (line.Length > 0)
                    {
                        _events.Add(JsonNode.Parse(line)!);
                    }
                }

                return [.. _events];
            }
        }
    }

    /// <summary>Starts it.</summary>
    /// <param name="environment">Variables besides those of the tests.</param>
    /// <param name="command">The program and its arguments.</param>
    public static JsonProcess Start(IReadOnlyDictionary<string, string>? environment, params string[] command) =>
        new(BackgroundProgram.Start(command, environment));

    /// <summary>Gives it a command.</summary>
    public void Tell(JsonNode command) => _program.Tell(command.ToJsonString());

    /// <summary>Waits for an event.</summary>
    public async Task<JsonNode> EventAsync(Func<JsonNode, bool> wanted, string what)
    {
        JsonNode? found = null;
        await Patience.UntilAsync(() => (found = Events.FirstOrDefault(wanted)) is not null, what, Said);
        return found!;
    }

    /// <summary>Its events and errors, for messages of failure.</summary>
    public string Said() => _program.Said;

    /// <summary>Ends it; a test may do so before its own end.</summary>
    public ValueTask DisposeAsync()
    {
        _program.Dispose();
        return ValueTask.CompletedTask;
    }
}
