using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>The key of an inline command as metadata, which every route may ask for.</summary>
public sealed class InlineKeyTests
{
    private readonly int _key = RespCodec.Traits.FindMeta("key");

    [Theory]
    [InlineData("GET \"a b\"\r\n", "a b")]
    [InlineData("GET \"\"\r\n", "")]
    [InlineData("  set  'k' v\n", "k")]
    [InlineData("GET a\vb\fc d\n", "a\vb\fc")]
    [InlineData("\v\fGET \v'k'\f\n", "k")]
    [InlineData("GET\vk k\n", null)]
    [InlineData("GET\r\n", null)]
    [InlineData("PING k\r\n", null)]
    [InlineData("GET k \"v\r\n", null)]
    public void Key_IsReadAsTheServerDoes_HoweverOften(string line, string? key)
    {
        var client = new Client();
        byte[] bytes = RequestRun.Bytes(line);
        client.Scan(bytes);
        client.Key(bytes, _key).ShouldBe(key);
        client.Key(bytes, _key).ShouldBe(key);
    }

    /// <summary>A long line costs its splitting once and not for every route: what changes behind the first look is not seen.</summary>
    [Fact]
    public void Key_OfOneLine_IsLookedForOnce()
    {
        var client = new Client();
        byte[] line = RequestRun.Bytes("GET " + new string('k', 60_000) + "\r\n");
        client.Scan(line);
        string? first = client.Key(line, _key);
        first!.Length.ShouldBe(60_000);

        line[4] = (byte)'x';

        client.Key(line, _key).ShouldBe(first);
    }

    /// <summary>A bad line too: it is not split again to find that out.</summary>
    [Fact]
    public void LineWithoutAKey_IsLookedAtOnce()
    {
        var client = new Client();
        byte[] line = RequestRun.Bytes("GET k 'v\r\n");
        client.Scan(line);
        client.Key(line, _key).ShouldBeNull();

        line[6] = (byte)' ';

        client.Key(line, _key).ShouldBeNull();
    }

    /// <summary>The loop reads all clients into the same memory: nobody gets the key of another's line, nor of an own one before.</summary>
    [Fact]
    public void Key_OfAnotherLineInTheSamePlace_IsItsOwn()
    {
        var one = new Client();
        var two = new Client();
        byte[] memory = RequestRun.Bytes("GET one\r\n");
        one.Scan(memory);
        one.Key(memory, _key).ShouldBe("one");

        RequestRun.Bytes("GET two\r\n").CopyTo(memory, 0);
        two.Scan(memory);
        two.Key(memory, _key).ShouldBe("two");

        // The first one's had to wait, and lies elsewhere.
        one.Key(RequestRun.Bytes("GET one\r\n"), _key).ShouldBe("one");
        two.Key(memory, _key).ShouldBe("two");

        RequestRun.Bytes("GET thr\r\n").CopyTo(memory, 0);
        two.Scan(memory);
        two.Key(memory, _key).ShouldBe("thr");
    }

    private sealed class Client
    {
        private RespCodec _codec = RespCodec.Start(Side.Downstream, CodecLimits.Default);
        private FrameHead _head;

        public void Scan(byte[] line) => _codec.Scan(line, ref _head, out _).ShouldBe(ScanStatus.Done);

        public string? Key(byte[] line, int meta) =>
            _codec.TryMeta(new FrameView(ref _head, line, isWhole: true), meta, out ReadOnlySpan<byte> key) ? Encoding.Latin1.GetString(key) : null;
    }
}
