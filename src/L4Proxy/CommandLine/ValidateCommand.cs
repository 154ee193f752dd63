using System.Text.Json;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.CommandLine;

/// <summary><c>meshl4-proxy validate</c>: prints every issue at once.</summary>
internal static class ValidateCommand
{
    /// <summary>Returns the exit code: 0 when there is no error, 1 otherwise.</summary>
    public static int Run(ProxyArguments arguments, TextWriter output)
    {
        IReadOnlyList<ConfigIssue> issues = ConfigPath.Validate(arguments);
        bool valid = issues.All(issue => issue.Severity != IssueSeverity.Error);
        if (arguments.JsonOutput)
        {
            output.WriteLine(Json(issues, valid));
        }
        else
        {
            WriteText(issues, valid, output);
        }

        return valid ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static void WriteText(IReadOnlyList<ConfigIssue> issues, bool valid, TextWriter output)
    {
        foreach (ConfigIssue issue in issues)
        {
            output.WriteLine($"{(issue.Severity == IssueSeverity.Error ? "error" : "warning")}: {issue}");
        }

        int errors = issues.Count(issue => issue.Severity == IssueSeverity.Error);
        output.WriteLine(valid ? "configuration OK" : $"configuration invalid: {errors} {(errors == 1 ? "error" : "errors")}");
    }

    private static string Json(IReadOnlyList<ConfigIssue> issues, bool valid)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("valid", valid);
            writer.WriteStartArray("issues");
            foreach (ConfigIssue issue in issues)
            {
                Write(writer, issue);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter writer, ConfigIssue issue)
    {
        writer.WriteStartObject();
        writer.WriteString("severity", issue.Severity == IssueSeverity.Error ? "error" : "warning");
        WriteIfKnown(writer, "origin", issue.Origin);
        WriteIfKnown(writer, "resource", issue.Resource);
        writer.WriteString("path", issue.Path);
        writer.WriteString("message", issue.Message);
        if (issue.Line is { } line)
        {
            writer.WriteNumber("line", line);
        }

        writer.WriteEndObject();
    }

    private static void WriteIfKnown(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }
}
