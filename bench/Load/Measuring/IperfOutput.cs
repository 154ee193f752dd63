using System.Text.Json;

namespace MeshL4.Load.Measuring;

/// <summary>What is read of an <c>iperf3 -J</c> report: bytes that arrived, and in how many seconds.</summary>
internal readonly record struct IperfOutput(double BitsPerSecond, double Bytes)
{
    /// <summary>Parses the client's report (<c>end.sum_received</c>).</summary>
    /// <exception cref="VoidRunException">iperf3 reported an error, or the sum is missing.</exception>
    public static IperfOutput Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.TryGetProperty("error", out var error))
            {
                throw new VoidRunException($"iperf3: {error.GetString()}");
            }

            var sum = document.RootElement.GetProperty("end").GetProperty("sum_received");
            return new IperfOutput(sum.GetProperty("bits_per_second").GetDouble(), sum.GetProperty("bytes").GetDouble());
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new VoidRunException($"iperf3 printed no usable report: {e.Message}");
        }
    }
}
