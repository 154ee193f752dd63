using System.Buffers;
using System.Text;
using MeshL4.L4Proxy.Sniffing;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sniffing;

public sealed class TlsHelloScannerTests
{
    private static TlsSniff Read(byte[] bytes, int segment = int.MaxValue)
    {
        var scanner = new TlsHelloScanner(SniffBudget.Default.TlsBytes);
        return scanner.Read(segment == int.MaxValue ? new ReadOnlySequence<byte>(bytes) : Segments.Of(bytes, segment));
    }

    [Fact]
    public void Read_NameAndProtocols_GivesBoth()
    {
        TlsSniff sniff = Read(HelloBuilder.Simple("www.example.com", "h2", "http/1.1", "x-own"));
        sniff.Status.ShouldBe(TlsSniffStatus.Tls);
        sniff.ServerName.ShouldBe("www.example.com");
        sniff.ApplicationProtocols.ShouldBe(["h2", "http/1.1", "x-own"]);
    }

    [Fact]
    public void Read_HelloWithoutExtensions_IsTlsWithoutName()
    {
        TlsSniff sniff = Read(new HelloBuilder { WithoutExtensions = true }.Records());
        sniff.Status.ShouldBe(TlsSniffStatus.Tls);
        sniff.ServerName.ShouldBeNull();
        sniff.ApplicationProtocols.ShouldBeEmpty();
    }

    [Fact]
    public void Read_GreaseEchAndTls13Only_FindsOuterName()
    {
        byte[] hello = new HelloBuilder { CipherSuites = [0x0a, 0x0a, 0x13, 0x01] }
            .Extension(0x0a0a)
            .Extension(0xfe0d, new byte[300])
            .Extension(43, 4, 0x3a, 0x3a, 3, 4)
            .ServerName("outer.example"u8.ToArray())
            .Extension(0x1a1a, 0)
            .Records();
        Read(hello).ServerName.ShouldBe("outer.example");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(100)]
    public void Read_EveryPrefixOfSplitRecords_NeedsMoreUntilWhole(int recordSize)
    {
        byte[] hello = new HelloBuilder().ServerName("split.example"u8.ToArray()).Alpn("h2").Records(recordSize);
        var scanner = new TlsHelloScanner(SniffBudget.Default.TlsBytes);
        for (int length = 0; length < hello.Length; length++)
        {
            scanner.Read(Segments.Of(hello.AsMemory(0, length), 7)).Status.ShouldBe(TlsSniffStatus.NeedMore, $"{length} bytes");
        }

        TlsSniff whole = scanner.Read(Segments.Of(hello, 7));
        whole.ServerName.ShouldBe("split.example");
        whole.ApplicationProtocols.ShouldBe(["h2"]);
    }

    [Theory]
    [InlineData(16384)]
    [InlineData(1000)]
    public void Read_MessageOverOneRecordLimit_IsPutTogether(int recordSize)
    {
        HelloBuilder hello = new HelloBuilder().Extension(21, new byte[20_000]).ServerName("big.example"u8.ToArray());
        Read(hello.Records(recordSize), 4096).ServerName.ShouldBe("big.example");
    }

    [Fact]
    public void Read_MessageFollowedByMoreBytes_IgnoresThem()
    {
        Read([.. HelloBuilder.Simple("a.example"), 0x17, 3, 3, 0, 1, 9], 11).ServerName.ShouldBe("a.example");
    }

    [Theory]
    [InlineData("WWW.Example.COM", "www.example.com")]
    [InlineData("example.com.", "example.com")]
    [InlineData("_svc.x-y", "_svc.x-y")]
    [InlineData("::1", "::1")]
    public void Read_OddButUsableName_IsNormalised(string sent, string expected) =>
        Read(HelloBuilder.Simple(sent)).ServerName.ShouldBe(expected);

    [Theory]
    [InlineData("good.example\0.evil")]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a.example..")]
    [InlineData(".a.example")]
    [InlineData("a b")]
    [InlineData("a\r\nb")]
    [InlineData("caf\u00e9.example")]
    public void Read_NameWithOtherBytes_IsInvalid(string sent)
    {
        TlsSniff sniff = Read(HelloBuilder.Simple(sent));
        sniff.Status.ShouldBe(TlsSniffStatus.Invalid);
        sniff.Reason.ShouldBe("tls_server_name_characters");
    }

    [Fact]
    public void Read_NameOf256Bytes_IsInvalid()
    {
        Read(HelloBuilder.Simple(new string('a', 255))).ServerName!.Length.ShouldBe(255);
        Read(HelloBuilder.Simple(new string('a', 256))).Status.ShouldBe(TlsSniffStatus.Invalid);
    }

    [Theory]
    [InlineData("474554")]
    [InlineData("00")]
    [InlineData("1602")]
    [InlineData("80")]
    public void Read_OtherFirstBytes_IsNotTls(string hex) =>
        Read(Convert.FromHexString(hex)).Status.ShouldBe(TlsSniffStatus.NotTls);

    [Theory]
    [InlineData("1603010000", "tls_record_length")]
    [InlineData("1603014001", "tls_record_length")]
    [InlineData("160301000102", "tls_first_message_not_client_hello")]
    [InlineData("160301000401FFFFFF", "tls_client_hello_too_long")]
    [InlineData("160301000401000050" + "1503010002", "tls_other_record_inside_client_hello")]
    [InlineData("160301000101" + "1602010001", "tls_record_version")]
    [InlineData("160301000401000000", "tls_client_hello_version")]
    [InlineData("160301000601000002FEFD", "tls_client_hello_version")]
    [InlineData("1603010006010000020303", "tls_client_hello_truncated")]
    public void Read_BrokenFraming_IsInvalid(string hex, string reason) =>
        Read(Convert.FromHexString(hex)).Reason.ShouldBe(reason);

    public static TheoryData<string, byte[]> BrokenBodies() => new()
    {
        { "tls_client_hello_truncated", new HelloBuilder { SessionId = new byte[33] }.Records() },
        { "tls_client_hello_truncated", new HelloBuilder { CipherSuites = [1] }.Records() },
        { "tls_client_hello_truncated", new HelloBuilder { CipherSuites = [] }.Records() },
        { "tls_server_name_length", new HelloBuilder().Extension(0).Records() },
        { "tls_server_name_length", new HelloBuilder().Extension(0, 0, 9, 0).Records() },
        { "tls_server_name_list", new HelloBuilder().Extension(0, 0, 0).Records() },
        { "tls_server_name_list", new HelloBuilder().Extension(0, 0, 4, 1, 0, 1, 97).Records() },
        { "tls_server_name_list", new HelloBuilder().Extension(0, 0, 8, 0, 0, 1, 97, 0, 0, 1, 98).Records() },
        { "tls_server_name_twice", new HelloBuilder().ServerName([97]).ServerName([98]).Records() },
        { "tls_alpn_length", new HelloBuilder().Extension(16, 0, 0).Records() },
        { "tls_alpn_length", new HelloBuilder().Extension(16, 0, 1, 0, 0).Records() },
        { "tls_alpn_entry", new HelloBuilder().Extension(16, 0, 1, 0).Records() },
        { "tls_alpn_entry", new HelloBuilder().Extension(16, 0, 2, 5, 97).Records() },
        { "tls_alpn_twice", new HelloBuilder().Alpn("h2").Alpn("h2").Records() },
        { "tls_alpn_too_many", new HelloBuilder().Alpn([.. Enumerable.Repeat("x", 65)]).Records() },
    };

    [Theory]
    [MemberData(nameof(BrokenBodies))]
    public void Read_BrokenBody_IsInvalid(string reason, byte[] hello) => Read(hello).Reason.ShouldBe(reason);

    [Fact]
    public void Read_ExtensionLongerThanList_IsInvalid()
    {
        byte[] message = new HelloBuilder().ServerName("a.example"u8.ToArray()).Message();
        message[^13] = 0x7f;
        Read(HelloBuilder.Wrap(message, 16384)).Status.ShouldBe(TlsSniffStatus.Invalid);
    }

    [Fact]
    public void Read_NoEndWithinBudget_IsInvalid()
    {
        byte[] hello = new HelloBuilder().Extension(21, new byte[60_000]).Records(20);
        hello.Length.ShouldBeGreaterThan(SniffBudget.Default.TlsBytes);
        var scanner = new TlsHelloScanner(SniffBudget.Default.TlsBytes);
        scanner.Read(new(hello.AsMemory(0, SniffBudget.Default.TlsBytes - 1))).Status.ShouldBe(TlsSniffStatus.NeedMore);
        scanner.Read(new(hello.AsMemory(0, SniffBudget.Default.TlsBytes))).Reason.ShouldBe("tls_client_hello_incomplete_at_byte_limit");
    }

    [Fact]
    public void Read_AnyByteChanged_NeverThrowsAndNeverLooksLikePlainBytes()
    {
        byte[] hello = new HelloBuilder().ServerName("flip.example"u8.ToArray()).Alpn("h2").Records(40);
        var random = new Random(7);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] changed = [.. hello];
            for (int i = 0; i < 1 + (round % 3); i++)
            {
                changed[random.Next(2, changed.Length)] = (byte)random.Next(256);
            }

            Read(changed, 13).Status.ShouldNotBe(TlsSniffStatus.NotTls, Convert.ToHexString(changed));
        }
    }

    [Fact]
    public void Intern_DifferentBytes_StayDifferent()
    {
        Read(HelloBuilder.Simple(null, "\u00ff\u0080")).ApplicationProtocols[0]
            .ShouldBe(Encoding.Latin1.GetString([0xff, 0x80]));
    }
}
