namespace MeshL4.TestKit;

/// <summary>Waiting for what must come true, with one limit for all tests: a wait that ends is a failure, never a measurement.</summary>
internal static class Patience
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Asks until the answer is yes.</summary>
    /// <exception cref="TimeoutException">It never was; the message has the last <paramref name="state"/>.</exception>
    public static async Task UntilAsync(Func<Task<bool>> holds, string what, Func<string>? state = null)
    {
        long end = Environment.TickCount64 + (long)Limit.TotalMilliseconds;
        while (!await holds())
        {
            if (Environment.TickCount64 > end)
            {
                throw new TimeoutException($"never came true: {what}. {state?.Invoke()}");
            }

            await Task.Delay(10);
        }
    }

    public static Task UntilAsync(Func<bool> holds, string what, Func<string>? state = null) => UntilAsync(() => Task.FromResult(holds()), what, state);
}
