using System.Text;
using MeshL4.TestKit;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

public sealed class RespReplyScannerTests
{
    public static TheoryData<string, string> Golden { get; } = new()
    {
        { "+OK\r\n", "Response 5;" },
        { "-ERR x\r\n:12\r\n", "ErrorResponse 8;Response 5;" },
        { "$5\r\nhello\r\n$0\r\n\r\n$-1\r\n", "Response 11;Response 6;Response 5;" },
        { "*-1\r\n*0\r\n+A\r\n", "Response 5;Response 4;Response 4;" },
        { "*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n*0\r\n+B\r\n", "Response 28;Response 4;" },
        { "*1\r\n-ERR in EXEC\r\n", "Response 18;" },
        { "_\r\n#t\r\n,1.5\r\n(99\r\n!3\r\nERR\r\n=5\r\ntxt:a\r\n", "Response 3;Response 4;Response 6;Response 5;ErrorResponse 9;Response 11;" },
        { "%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n", "Response 24;" },
        { ">2\r\n+a\r\n+b\r\n+C\r\n", "Push 12;Response 4;" },
        { "|1\r\n+ttl\r\n:3\r\n*2\r\n|0\r\n:1\r\n:2\r\n+D\r\n", "Response 30;Response 4;" },
        { "$-2\r\n", "bad BulkLength;" },
        { "$600000000\r\n", "bad BulkLength;" },
        { "*4294967297\r\n", "bad AggregateLength;" },
        { "%-1\r\n", "bad AggregateLength;" },
        { "$?\r\n;3\r\nabc\r\n;0\r\n", "bad Streamed;" },
        { "*?\r\n:1\r\n.\r\n", "bad Streamed;" },
        { "|1\r\n+a\r\n|1\r\n+b\r\n+c\r\n*1\r\n+d\r\n-E\r\n:7\r\n", "ErrorResponse 32;Response 4;" },
        { "|2\r\n+a\r\n*0\r\n+b\r\n%0\r\n>2\r\n+x\r\n+y\r\n", "Push 32;" },
        { "*2\r\n-ERR a\r\n>1\r\n+b\r\n", "Response 20;" },
        { "$08\r\n12345678\r\n", "bad BulkLength;" },
        { "$3\r\nabcd\r\n", "bad LineEnd;" },
        { "+a\rb\r\n", "bad LineEnd;" },
        { "hello\r\n", "bad UnknownType;" },
        { "*1\r\n\0", "bad UnknownType;" },
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void Scan_CutAtEveryByteAndPair_SeesTheSame(string text, string expected)
    {
        byte[] input = RequestRun.Bytes(text);
        for (int a = 0; a <= input.Length; a++)
        {
            for (int b = a; b <= input.Length; b++)
            {
                Run(input, [a, b]).ShouldBe(expected);
            }
        }
    }

    [Fact]
    public void Scan_NestedAMillionTimes_CostsNeitherStackNorMemory()
    {
        byte[] deep = RequestRun.Bytes(string.Concat(Enumerable.Repeat("*1\r\n", 1_000_000)) + ":1\r\n+B\r\n");
        Run(deep, []).ShouldBe("Response 4000004;Response 4;");
        Allocations.OfEvery(() => ScanOnly(deep)).ShouldBe(0);
    }

    [Fact]
    public void Scan_CountsThatWouldOverflowTheCounter_AreRefused()
    {
        var scanner = new RespReplyScanner(new RespLimitsOptions(MaxReplyElements: 1L << 59));
        FrameHead head = default;
        byte[] input = RequestRun.Bytes(string.Concat(Enumerable.Repeat("%576460752303423488\r\n", 4)));
        scanner.Scan(input, ref head, out int consumed).ShouldBe(ScanStatus.Bad);
        ((RespFault)head.Fault).ShouldBe(RespFault.AggregateLength);
        consumed.ShouldBe(42);
    }

    [Fact]
    public void Scan_LargestMapCount_DoesNotOverflow() => Run(RequestRun.Bytes("%2147483647\r\n+a\r\n"), []).ShouldBeEmpty();

    [Fact]
    public void Scan_MutatedReplies_EndsWithoutExceptionAndTheSameWhenCut()
    {
        var random = new Random(20260102);
        byte[][] seeds = [.. Golden.Cast<object[]>().Select(row => RequestRun.Bytes((string)row[0]))];
        for (int round = 0; round < 20_000; round++)
        {
            byte[] input = Mutation.Of(seeds, random);
            Run(input, [random.Next(input.Length + 1)]).ShouldBe(Run(input, []));
        }
    }

    private static void ScanOnly(byte[] input)
    {
        var scanner = new RespReplyScanner(RespLimitsOptions.Default);
        FrameHead head = default;
        scanner.Scan(input, ref head, out _);
    }

    private static string Run(byte[] input, ReadOnlySpan<int> cuts)
    {
        var scanner = new RespReplyScanner(RespLimitsOptions.Default);
        FrameHead head = default;
        var seen = new StringBuilder();
        int start = 0;
        for (int i = 0; i <= cuts.Length; i++)
        {
            int end = i < cuts.Length ? cuts[i] : input.Length;
            while (start < end)
            {
                ScanStatus status = scanner.Scan(input.AsSpan(start, end - start), ref head, out int consumed);
                start += consumed;
                if (status == ScanStatus.Bad)
                {
                    return seen.Append($"bad {(RespFault)head.Fault};").ToString();
                }

                seen.Append(status == ScanStatus.Done ? $"{head.Kind} {head.Length};" : "");
            }
        }

        return seen.ToString();
    }
}
