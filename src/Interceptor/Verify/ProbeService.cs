using System.Globalization;
using System.Net;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>The other side of <see cref="ProbeChild"/>: becomes somebody else and does what each line asks for, one line an answer, until
/// there are no more lines. "send tcp|udp SOURCE DESTINATION" is answered with 0 or an errno, "news tcp|udp SOURCE" with the
/// number of a <see cref="SocketNews"/>; sources and destinations are an address and a port.</summary>
internal static class ProbeService
{
    /// <summary>The first line of a child that has become who it is to be; any other says why it could not.</summary>
    public const string Ready = "ready";

    private const string SendVerb = "send";

    /// <summary>Asks for a probe to be sent.</summary>
    public static string SendLine(Transports transport, IPEndPoint source, IPEndPoint destination) => $"{SendVerb} {transport} {source} {destination}";

    /// <summary>Asks what came of it.</summary>
    public static string NewsLine(Transports transport, IPEndPoint source) => $"news {transport} {source}";

    /// <summary>Serves until <paramref name="input"/> ends; 1 when the identity cannot be taken.</summary>
    public static int Serve(Identity identity, TextReader input, TextWriter output)
    {
        string? refused = identity == new Identity(Credentials.Uid, Credentials.Gid) ? null : Credentials.Become(identity.Uid, identity.Gid);
        Tell(output, refused ?? Ready);
        using var sender = new ProbeSender();
        while (refused is null && input.ReadLine() is string line)
        {
            Tell(output, Answer(sender, line.Split(' ')));
        }

        return refused is null ? 0 : 1;
    }

    private static string Answer(ProbeSender sender, string[] fields)
    {
        Transports transport = Enum.Parse<Transports>(fields[1]);
        var source = IPEndPoint.Parse(fields[2]);
        return fields[0] == SendVerb
            ? sender.Send(transport, source, IPEndPoint.Parse(fields[3])).ToString(CultureInfo.InvariantCulture)
            : sender.NewsOf(transport, source).Number.ToString(CultureInfo.InvariantCulture);
    }

    private static void Tell(TextWriter output, string line)
    {
        output.Write($"{line}\n");
        output.Flush();
    }
}
