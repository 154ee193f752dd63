using System.Globalization;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>
/// A client of a proxy with one loop, there before those who do harm: its requests go to the real server over the connection that all
/// clients of the loop share. Harm to that connection is harm to it.
/// </summary>
internal sealed class RedisWitness : IDisposable
{
    /// <summary>A write that changes nothing: the server can be told to hold it back.</summary>
    private const string Request = "LPUSHX witness x";

    private readonly Call _call;
    private readonly int _server;

    /// <param name="port">Of the proxy.</param>
    /// <param name="server">Port of the server itself.</param>
    /// <param name="password">What clients have to log in with, if they have to.</param>
    public RedisWitness(int port, int server, string? password = null)
    {
        (_call, _server) = (Call.To(port), server);
        _call.Ask(password is null ? "PING" : "AUTH " + password).ShouldBe(password is null ? "+PONG" : "+OK");
    }

    /// <summary>The server answers it.</summary>
    public void Witness() => _call.Ask(Request).ShouldBe(":0");

    /// <summary>
    /// What is done to the proxy while a request is in flight costs neither the answer nor the connection to the server. The server holds
    /// the request back meanwhile, and with it what others ask behind it on the same connection.
    /// </summary>
    /// <param name="harm">Waits for no answer of the server, but in the end the proxy is through with it.</param>
    public void Beside(Action harm)
    {
        using Call hand = Call.To(_server);
        Witness();
        string shared = Askers(hand).Single();
        hand.Ask("CLIENT PAUSE 60000 WRITE").ShouldBe("+OK");
        _call.Send(Request + "\n");
        Wait.Until(() => Connection(hand, shared)?.Contains("flags=b") == true, "the server has no request to hold back");
        harm();
        hand.Ask("CLIENT UNPAUSE").ShouldBe("+OK");
        _call.ReadLine().ShouldBe(":0");
        Witness();
        string[]? left = Connection(hand, shared);
        left.ShouldNotBeNull("the shared connection ended");
        Askers(hand).ShouldAllBe(id => id == shared, "the witness's last request went over another connection");
    }

    public void Dispose() => _call.Dispose();

    /// <summary>What the server says of a connection, its id first; null where there is none. By the id: others' requests go over it too, behind the witness's.</summary>
    private static string[]? Connection(Call hand, string id) =>
        Clients(hand).Select(static line => line.Split(' ')).FirstOrDefault(words => words[0] == id);

    /// <summary>The ids of the connections whose last request is the witness's; none where others' requests came behind it.</summary>
    private static string[] Askers(Call hand) =>
        [.. Clients(hand).Where(static line => line.Contains(" cmd=lpushx ", StringComparison.Ordinal)).Select(static line => line.Split(' ')[0])];

    private static string[] Clients(Call hand) => hand.Take(int.Parse(hand.Ask("CLIENT LIST")![1..], CultureInfo.InvariantCulture) + 2).Split('\n');
}
