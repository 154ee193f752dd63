using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>Feeds bytes to a request scanner in given pieces and writes down what it saw, so that two runs can be compared.</summary>
internal static class RequestRun
{
    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    public static string Whole(byte[] input) => Pieces(input, []);

    public static string Pieces(byte[] input, ReadOnlySpan<int> cuts)
    {
        var scanner = new RespRequestScanner(RespLimitsOptions.Default);
        RespRequestHead head = default;
        var seen = new StringBuilder();
        int start = 0;
        for (int i = 0; i <= cuts.Length; i++)
        {
            int end = i < cuts.Length ? cuts[i] : input.Length;
            if (!Feed(ref scanner, ref head, input.AsSpan(start, end - start), seen))
            {
                break;
            }

            start = end;
        }

        return seen.ToString();
    }

    private static bool Feed(ref RespRequestScanner scanner, ref RespRequestHead head, ReadOnlySpan<byte> part, StringBuilder seen)
    {
        while (!part.IsEmpty)
        {
            ScanStatus status = scanner.Scan(part, ref head, out int consumed);
            part = part[consumed..];
            if (status == ScanStatus.Bad)
            {
                seen.Append("bad ").Append(head.Fault).Append(';');
                return false;
            }

            if (status == ScanStatus.Done)
            {
                seen.Append($"{head.Command} {head.IsInline} {head.ArgumentCount} {head.Length} {head.KeyHeaderOffset} {head.KeyOffset} {head.KeyLength};");
            }
        }

        return true;
    }
}
