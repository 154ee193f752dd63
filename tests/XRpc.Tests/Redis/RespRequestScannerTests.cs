using MeshL4.TestKit;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RespRequestScannerTests
{
    public static TheoryData<string> Golden { get; } = new(
        "*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n",
        "*1\r\n$4\r\nping\r\n*3\r\n$3\r\nSeT\r\n$1\r\nk\r\n$0\r\n\r\n",
        "*12\r\n$4\r\nMGET\r\n" + string.Concat(Enumerable.Repeat("$2\r\n\r\n\r\n", 11)),
        "*2\r\n$19\r\nGEORADIUSBYMEMBER_X\r\n$1\r\na\r\n",
        "*4\r\n$5\r\nXREAD\r\n$7\r\nSTREAMS\r\n$1\r\na\r\n$1\r\n0\r\n",
        "PING\r\n\r\n\nGET \"x\\x4\" 'y'\r\n*1\r\n$4\r\nQUIT\r\n",
        "*0\r\n*-1\r\n*1\r\n$0\r\n\r\n",
        "*2000000000\r\n",
        "*2\r\n$3\r\nGET\r\n$600000000\r\n",
        "*2\r\n$3\r\nGET\r\n:1\r\n",
        "*2\r\n$3\r\nGETx\n$1\r\na\r\n",
        "*2\r\n$03\r\nGET\r\n$1\r\na\r\n",
        "*02\r\n",
        "*2\r\n$-1\r\n",
        "*99999999999999999999\r\n");

    [Theory]
    [MemberData(nameof(Golden))]
    public void Scan_CutAtEveryByteAndPair_SeesTheSame(string text)
    {
        byte[] input = RequestRun.Bytes(text);
        string whole = RequestRun.Whole(input);
        whole.ShouldNotBeEmpty();
        for (int a = 0; a <= input.Length; a++)
        {
            RequestRun.Pieces(input, [a]).ShouldBe(whole);
            for (int b = a; b <= input.Length; b++)
            {
                RequestRun.Pieces(input, [a, b]).ShouldBe(whole);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Golden))]
    public void Scan_OneByteAtATime_SeesTheSame(string text)
    {
        byte[] input = RequestRun.Bytes(text);
        RequestRun.Pieces(input, [.. Enumerable.Range(0, input.Length)]).ShouldBe(RequestRun.Whole(input));
    }

    [Theory]
    [InlineData("*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n", "Get False 2 24 13 17 5;")]
    [InlineData("*3\r\n$6\r\nOBJECT\r\n$8\r\nENCODING\r\n$2\r\nkk\r\n", "Object False 3 38 30 34 2;")]
    [InlineData("*1\r\n$7\r\nUNKNOWN\r\n", "Other False 1 17 0 0 0;")]
    [InlineData("GET x\r\n", "Get True 0 7 0 0 0;")]
    [InlineData("  get\tx\n", "Get True 0 8 0 0 0;")]
    [InlineData("ping\r\n", "Ping True 0 6 0 0 0;")]
    [InlineData(" \r\n", "Other True 0 3 0 0 0;")]
    [InlineData("\"get\" x\r\n", "Get True 0 9 0 0 0;")]
    [InlineData("FLUSH\"ALL\"\r\n", "Flushall True 0 12 0 0 0;")]
    [InlineData("'flushall'\n", "Flushall True 0 11 0 0 0;")]
    [InlineData("FLUSHALL\0\r\n", "Flushall True 0 11 0 0 0;")]
    [InlineData("\"\\x46LUSHAL\\l\"\r\n", "Flushall True 0 16 0 0 0;")]
    [InlineData("\"\\x4\"\n", "Other True 0 6 0 0 0;")]
    [InlineData("'FLUSH\\ALL'\n", "Other True 0 12 0 0 0;")]
    [InlineData("\"\" FLUSHALL\n", "Other True 0 12 0 0 0;")]
    [InlineData("*1\r\n$4\r\nPOST\r\n", "bad Http;")]
    [InlineData("*2\r\n$5\r\nhost:\r\n$1\r\nx\r\n", "bad Http;")]
    [InlineData("Post / HTTP/1.1\r\n", "bad Http;")]
    [InlineData("'host:' x\n", "bad Http;")]
    [InlineData("HOSTS x\n", "Other True 0 8 0 0 0;")]
    [InlineData("*2000000000\r\n", "bad MultibulkLength;")]
    [InlineData("*1048577\r\n", "bad MultibulkLength;")]
    [InlineData("*x\r\n", "bad MultibulkLength;")]
    [InlineData("*1\r\n$536870913\r\n", "bad BulkLength;")]
    [InlineData("*1\r\n+OK\r\n", "bad ExpectedBulk;")]
    [InlineData("*1\r\n$4\r\nPINGxx", "bad LineEnd;")]
    [InlineData("*1\rx", "bad LineEnd;")]
    public void Scan_OneFrame_TellsCommandAndKeyOrFault(string text, string expected) =>
        RequestRun.Whole(RequestRun.Bytes(text)).ShouldBe(expected);

    [Fact]
    public void Scan_InlineWithoutEnd_IsRefusedAtTheLimit() =>
        RequestRun.Whole(RequestRun.Bytes(new string('a', (64 * 1024) + 1))).ShouldBe("bad InlineTooBig;");

    [Fact]
    public void Scan_Truncated_IsNeverDoneNorBad()
    {
        byte[] input = RequestRun.Bytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nabc\r\n");
        for (int length = 0; length < input.Length; length++)
        {
            RequestRun.Whole(input[..length]).ShouldBeEmpty();
        }
    }

    [Fact]
    public void Scan_HugeCountDeclared_AllocatesNothing()
    {
        byte[] input = RequestRun.Bytes("*1048576\r\n$536870912\r\nabc");
        Allocations.OfEvery(() => ScanAll(input)).ShouldBe(0);
    }

    [Fact]
    public void Scan_MutatedFrames_EndsWithoutExceptionAndTheSameWhenCut()
    {
        var random = new Random(20260101);
        byte[][] seeds = [.. Golden.Cast<object[]>().Select(row => RequestRun.Bytes((string)row[0]))];
        for (int round = 0; round < 20_000; round++)
        {
            byte[] input = Mutation.Of(seeds, random);
            int cut = random.Next(input.Length + 1);
            RequestRun.Pieces(input, [cut]).ShouldBe(RequestRun.Whole(input));
        }
    }

    private static void ScanAll(byte[] input)
    {
        var scanner = new RespRequestScanner(RespLimitsOptions.Default);
        RespRequestHead head = default;
        if (scanner.Scan(input, ref head, out int consumed) != ScanStatus.More || consumed != input.Length)
        {
            throw new InvalidOperationException("not taken whole");
        }
    }
}
