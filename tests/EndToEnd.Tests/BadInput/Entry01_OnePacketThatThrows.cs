using System.Text;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 1: one packet of an inline command with a broken escape ended the process. A codec that throws: tests/Codecs.Tests.</summary>
public sealed class Entry01_OnePacketThatThrows
{
    [Theory]
    [InlineData("GET \"x\\x4\"\r\n")]
    [InlineData("GET \"x\\x\r\n")]
    [InlineData("GET 'x\\\r\n")]
    [InlineData("\"\\xzz\" \"\r\n")]
    [InlineData("*3\r\n$3\r\nSET\r\n$-1\r\n")]
    [InlineData("*1\r\n$x\r\n")]
    public void BrokenCommand_CutAnywhere_EndsItsConnectionOnly(string bytes)
    {
        using RedisFront front = RedisFront.OneLoop();
        CutAnywhere(front, bytes, isAnswered: true);
    }

    [Theory]
    [InlineData("GET \"x\\x4\"\r\n")]
    [InlineData("GET \"x\\x\r\n")]
    [InlineData("GET 'x\\\r\n")]
    [InlineData("\"\\xzz\" \"\r\n")]
    [InlineData("*3\r\n$3\r\nSET\r\n$-1\r\n")]
    [InlineData("*1\r\n$x\r\n")]
    public void BrokenCommand_CutAnywhere_IsTheSameToTheCodec(string bytes) => RespScan.CutAnywhere(Side.Downstream, bytes).ShouldNotBeEmpty();

    [Fact]
    public void Corpus_CutAnywhere_HarmsNeitherTheCodecNorTheProxy()
    {
        using RedisFront front = RedisFront.OneLoop();
        (Side From, string Bytes)[] corpus = [.. Corpus()];
        corpus.Length.ShouldBeGreaterThan(2);
        foreach ((Side from, string bytes) in corpus)
        {
            RespScan.CutAnywhere(from, bytes);

            // Of a server's bytes a client can make nothing either.
            CutAnywhere(front, bytes, isAnswered: false);
        }
    }

    /// <summary>A client for each place. What is a request after all, as some are, is answered behind that of the witness.</summary>
    private static void CutAnywhere(RedisFront front, string bytes, bool isAnswered)
    {
        List<Call> clients = [];
        front.Beside(() =>
        {
            for (int cut = 0; cut < bytes.Length; cut++)
            {
                Call client = Call.To(front.Port);
                clients.Add(client);
                client.Send(bytes[..cut]);
                Thread.Yield();
                client.Send(bytes[cut..]);
            }

            // The loop has them behind it when it answers who came later.
            Call.Ask(front.Port, "PING").ShouldBe("+PONG");
        });
        foreach (Call client in clients)
        {
            if (isAnswered)
            {
                client.ReadLine().ShouldNotBeNull();
            }

            client.EndSending();
            client.Ends().ShouldBeTrue();
            client.Dispose();
        }

        front.Witness();
    }


    /// <summary>The corpus of the codec kit: inputs that once did harm, and edges.</summary>
    private static IEnumerable<(Side From, string Bytes)> Corpus() =>
        from line in File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "corpus/redis.txt"))
        where line.Length > 0 && line[0] != '#'
        let words = line.Split(' ')
        select (Enum.Parse<Side>(words[0]), Encoding.Latin1.GetString(Convert.FromHexString(words[1])));
}
