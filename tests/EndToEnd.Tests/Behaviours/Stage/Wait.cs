using System.Diagnostics;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Waits for a condition of another process. The limit is for tests that fail, never for those that pass.</summary>
internal static class Wait
{
    public static void Until(Func<bool> holds, Func<string> otherwise, int seconds = 60)
    {
        long start = Stopwatch.GetTimestamp();
        while (!holds())
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds))
            {
                throw new ShouldAssertException(otherwise());
            }

            Thread.Sleep(20);
        }
    }

    public static void Until(Func<bool> holds, string otherwise) => Until(holds, () => otherwise);
}
