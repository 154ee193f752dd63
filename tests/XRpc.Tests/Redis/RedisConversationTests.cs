using System.Text;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>Scripts that must give the same answers through a conversation as from a server directly.</summary>
public sealed class RedisConversationTests
{
    public static TheoryData<string> Scripts { get; } = new(
        "PING\nPING a\nPING a b\nECHO x\nECHO\nGET\nSET k v\nGET k\nget K\nUNKNOWN x\nSET k",
        "MULTI\nSET a 1\nGET a\nEXEC\nEXEC\nDISCARD\nMULTI\nMULTI\nSET a 2\nWATCH a\nDISCARD\nGET a\nMULTI\nEXEC\nMULTI\nDISCARD",
        "MULTI\nGET\nSET a 3\nEXEC\nGET a\nMULTI\nNOPE\nEXEC\nMULTI x\nEXEC x\nMULTI\nPING\nECHO x\nINCR n\nEXEC",
        "MULTI\nSET a 1\nEXEC x\nGET a\nMULTI\nSET a 1\nDISCARD x\nEXEC\nGET a\nMULTI\nEXEC x\nEXEC",
        "MULTI\nSELECT 1\nDISCARD\nMULTI\nSET a 1\nEXEC\nGET a\nMULTI\nSELECT 2\nRESET\nMULTI\nSET a 2\nEXEC\nGET a",
        "WATCH a\nMULTI\nSELECT 1\nDISCARD\nMULTI\nSET a 1\nEXEC\nGET a\nWATCH a\nMULTI\nSELECT 2\nRESET\nWATCH a\nMULTI\nSET a 2\nEXEC\nGET a",
        "MULTI\nMULTI x\nSET a 1\nEXEC\nGET a\nMULTI\nSET a 2\nWATCH\nEXEC\nGET a\nMULTI\nWATCH\nDISCARD\nMULTI\nSET a 3\nRESET x\nEXEC\nGET a",
        "WATCH a\nINCR a\nEXEC x\nMULTI\nGET a\nEXEC\nWATCH a\nSELECT 1\nEXEC x\nINCR a\nMULTI\nGET a\nEXEC\nEXEC x",
        "WATCH a b\nGET a\nMULTI\nSET a 1\nEXEC\nUNWATCH\nWATCH a\nUNWATCH\nWATCH a\nMULTI\nDISCARD\nWATCH",
        "SELECT 3\nSET a 3\nSELECT 0\nGET a\nSELECT 99\nGET a\nSELECT x\nSELECT\nSELECT -1\nSELECT 3\nGET a\nRESET\nGET a",
        "MULTI\nSELECT 4\nSET a 4\nEXEC\nGET a\nMULTI\nSELECT 5\nDISCARD\nGET a\nSELECT 5\nGET a",
        "MULTI\nGET a\nSELECT 99\nSELECT 6\nSELECT x\nSET a 6\nSELECT 98\nEXEC\nGET a\nSELECT 0\nGET a\nMULTI\nSELECT 7\nNOPE\nEXEC\nGET a",
        "WATCH a\nSELECT 3\nGET a\nMULTI\nSET a 1\nEXEC\nGET a\nWATCH a\nSELECT 4\nUNWATCH\nGET a\nSET a 2\nSELECT 3\nGET a",
        "HELLO 4\nHELLO x\nHELLO 3 AUTH a b\nHELLO 3 FOO\nHELLO 3 AUTH a\nAUTH\nAUTH a b c\nAUTH wrong\nAUTH a b\nGET k",
        "HELLO 03\nHELLO +3\nHELLO 0\nHELLO -3\nHELLO -0\nHELLO 3x\nGET k",
        "CLIENT SETNAME me\nCLIENT GETNAME\nCLIENT SETNAME \"a b\"\nCLIENT GETNAME\nCLIENT SETNAME \"\"\nCLIENT GETNAME\nCLIENT REPLY x\nCLIENT\nCLIENT FOO\nCLIENT ID x",
        "BLPOP q 0.05\nRPUSH q a b\nBLPOP q 1\nBRPOP q 1\nBLPOP q\nXADD s 1-1 f v\nXREAD BLOCK 1 STREAMS s 5-5\nXREAD STREAMS s 0\nXREAD BLOCK 0 STREAMS s 0",
        "EVAL \"return KEYS[1]\" 1 a\nEVAL \"return 1\" 0\nEVAL \"return redis.error_reply('X y')\" 0\nEVALSHA 0 0\nSCRIPT LOAD \"return 7\"\nSCRIPT EXISTS 0 1",
        "MSET a 1 b 2\nMGET a b c\nMSET a\nMGET\nDEL a b c\nEXISTS a\nTOUCH a\nUNLINK b\nDBSIZE\nKEYS *\nSCAN 0\nRANDOMKEY\nSCAN x\nFLUSHALL\nWAIT 0 1",
        "UNSUBSCRIBE\nUNSUBSCRIBE a b\nPUNSUBSCRIBE\nSUNSUBSCRIBE\nPUBLISH c m\nSUBSCRIBE\nPUBSUB CHANNELS\nSPUBLISH c m",
        "SORT l\nRPUSH l 2 1\nSORT l STORE m\nLRANGE m 0 -1\nOBJECT ENCODING l\nOBJECT HELP x\nOBJECT\nXGROUP CREATE s g 0 MKSTREAM\nXINFO GROUPS s\nMEMORY USAGE nokey",
        "CLIENT TRACKING OFF\nREADONLY\nASKING\nRESET\nRESET x\nQUIT");

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Script_ThroughAConversation_AnswersAsTheServerDoes(string script) => Compare(script, static (run, words) => run.Ask(words));

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Script_OfInlineCommands_AnswersAsTheServerDoes(string script) => Compare(script, static (run, words) =>
        run.Line(string.Join(' ', words.Select(static w => w.Length == 0 || w.AsSpan().ContainsAny(" '*") ? $"\"{w}\"" : w))));

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Script_OfVersionThree_AnswersAsTheServerDoes(string script) =>
        Compare(script, static (run, words) => run.Ask(words), ["HELLO", "3"]);

    private static void Compare(string script, Func<ConversationRun, string[], string> ask, params string[][] first)
    {
        using var direct = new RedisPeer();
        using var behind = new RedisPeer();
        using var run = new ConversationRun([behind]);
        using RedisLink link = direct.Open();
        foreach (string[] words in first)
        {
            link.Exchange(RedisLink.Frame(words));
            run.Ask(words);
        }

        foreach (string line in script.Split('\n'))
        {
            string[] words = Words(line);
            string answer = ask(run, words);
            link.Send(RedisLink.Frame(words));
            var expected = new StringBuilder();
            while (expected.Length < answer.Length || expected.Length == 0)
            {
                expected.Append(Encoding.Latin1.GetString(link.Receive(out _)));
            }

            answer.ShouldBe(expected.ToString(), $"{line} in {script}");
        }
    }

    private static string[] Words(string line)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        XRpc.Redis.RespInline.TryConvert(Encoding.Latin1.GetBytes(line), output);
        using var arguments = new XRpc.Redis.RespArguments(output.WrittenSpan);
        string[] words = new string[arguments.Count];
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Encoding.Latin1.GetString(arguments[i]);
        }

        return words;
    }
}
