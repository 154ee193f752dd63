using System.Diagnostics;
using System.Text.Json;
using Shouldly;

namespace MeshL4.Init.Tests;

/// <summary>Shell scripts in a network namespace of their own, and what verify reports in them. Root only.</summary>
internal static class VerifyScript
{
    /// <summary>What a script can use: the program, its flags, a state of the namespace to compare, a rule to be deleted by its reason.</summary>
    private const string Prelude = """
        set -f
        flags="-b * -d 15090,15021 -i * -o 22,5432-5440 -x 10.0.0.0/8,2001:db8:ffff::/48 -c net1,tap+"
        flags4=$(echo "$flags" | sed "s/,2001:[^ ]*//")
        ip link set lo up
        state() { ip -j addr | sed 's/"\(ifindex\|link_index\)":[0-9]*//g'; ip -j rule; ip -j -6 rule; ip -j route show table all; ip -j -6 route show table all; }
        delete() { nft delete rule inet meshl4 $1 handle $(nft -a list chain inet meshl4 $1 | sed -n "/$2/{s/.*# handle //p;q}"); }

        """;

    private static readonly string Init = Path.Combine(AppContext.BaseDirectory, "meshl4-init");

    /// <summary>The promises that ended so.</summary>
    public static List<string> Named(JsonElement report, string outcome) =>
        [.. report.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("outcome").GetString() == outcome)
            .Select(c => c.GetProperty("promise").GetString()!).Distinct()];

    /// <summary>Runs verify between two scripts.</summary>
    public static (int Code, JsonElement Report, string Error) Verify(string before, string flags, string after)
    {
        (int code, string output, string error) = Run(
            $"{{ {before}\n}} >&2\n\"$0\" verify --format json {flags}; code=$?\n{after}\nexit $code");
        int start = output.IndexOf('{', StringComparison.Ordinal);
        start.ShouldBeGreaterThanOrEqualTo(0, $"{code} {output} {error}");
        return (code, JsonDocument.Parse(output[start..]).RootElement, error);
    }

    /// <summary>Runs a script, with the program as $0.</summary>
    public static (int Code, string Output, string Error) Run(string script) => RunIn("-n", script);

    /// <summary>The same in other namespaces: flags of unshare.</summary>
    public static (int Code, string Output, string Error) RunIn(string namespaces, string script)
    {
        var start = new ProcessStartInfo("unshare", [namespaces, "sh", "-c", Prelude + script, Init]) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }
}
