using System.Globalization;
using System.Net;
using System.Text;

namespace MeshL4.Load.Measuring;

/// <summary>GET and SET of a 64-byte value: by redis-benchmark, and as bytes for clients of the harness.</summary>
internal static class RedisLoad
{
    /// <summary>How the key begins that is asked for.</summary>
    public const string KeyPrefix = "bench:";

    private const string Key = KeyPrefix + "key";
    private const int ValueBytes = 64;

    /// <summary>The words of GET.</summary>
    public static IReadOnlyList<string> Get { get; } = ["GET", Key];

    /// <summary>The words of SET.</summary>
    public static IReadOnlyList<string> Set { get; } = ["SET", Key, new string('v', ValueBytes)];

    /// <summary>One request.</summary>
    public static byte[] Request { get; } = Command([.. Get]);

    /// <summary>Length of its answer: <c>$64</c>, the value, and the ends of both lines.</summary>
    public static int AnswerLength => $"${ValueBytes}\r\n".Length + ValueBytes + 2;

    /// <summary>A command of words as clients send it.</summary>
    public static byte[] Command(params string[] words) =>
        Encoding.ASCII.GetBytes($"*{words.Length}\r\n{string.Concat(words.Select(word => $"${word.Length}\r\n{word}\r\n"))}");

    /// <summary>Runs redis-benchmark to its end.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="clients">Connections.</param>
    /// <param name="pipeline">Commands in flight on each.</param>
    /// <param name="count">Requests in all.</param>
    /// <param name="limit">When it is given up.</param>
    /// <param name="stop">Cancelled by Ctrl+C.</param>
    /// <param name="words">The command; null for <see cref="Get"/>.</param>
    public static async Task<RedisBenchmarkOutput> RunAsync(
        IPEndPoint target, int clients, int pipeline, long count, TimeSpan limit, CancellationToken stop, IReadOnlyList<string>? words = null)
    {
        words ??= Get;
        var output = await ChildProcess.RunAsync("redis-benchmark", [
            "-h", $"{target.Address}", "-p", $"{target.Port}", "-c", $"{clients}", "-P", $"{pipeline}", "-n", count.ToString(CultureInfo.InvariantCulture),
            "--csv", .. words], limit, stop);
        return RedisBenchmarkOutput.Parse(output, string.Join(' ', words));
    }

    /// <summary>Sets the key that is asked for.</summary>
    public static Task SetKeyAsync(IPEndPoint redis, CancellationToken stop) => SetAsync(redis, Key, ValueBytes, stop);

    /// <summary>Sets a key to a value of a length.</summary>
    /// <exception cref="VoidRunException">It does not have it afterwards.</exception>
    public static async Task SetAsync(IPEndPoint redis, string key, int bytes, CancellationToken stop)
    {
        string[] to = ["-h", $"{redis.Address}", "-p", $"{redis.Port}"];
        await ChildProcess.RunAsync("redis-cli", [.. to, "SETRANGE", key, $"{bytes - 1}", "x"], TimeSpan.FromSeconds(10), stop);
        var length = await ChildProcess.RunAsync("redis-cli", [.. to, "STRLEN", key], TimeSpan.FromSeconds(10), stop);
        if (length.Trim() != $"{bytes}")
        {
            throw new VoidRunException($"the key holds {length.Trim()} bytes instead of {bytes}");
        }
    }
}
