using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>
/// Any relay named by a command line: {listen} becomes the address to listen on, {upstream} the first upstream and {upstreams}
/// all of them, parted by commas. The words are split at blanks; there is no quoting and no shell.
/// </summary>
internal sealed class CommandSubject(string name, string command) : Subject(name)
{
    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams)
    {
        var words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word
            .Replace("{listen}", listen.ToString(), StringComparison.Ordinal)
            .Replace("{upstreams}", string.Join(',', upstreams), StringComparison.Ordinal)
            .Replace("{upstream}", upstreams[0].ToString(), StringComparison.Ordinal)).ToArray();
        return ChildProcess.Start(words[0], words[1..]);
    }
}
