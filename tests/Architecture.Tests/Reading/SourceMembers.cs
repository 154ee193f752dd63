using System.Text.RegularExpressions;

namespace MeshL4.Architecture.Tests.Reading;

/// <summary>A member that has code, with its length in lines from its declaration to its closing brace or semicolon.</summary>
internal sealed record SourceMember(string File, int Line, string Declaration, int Lines);

/// <summary>Finds the members of every type in a file by counting braces: enough to measure them, no compiler needed.</summary>
internal static partial class SourceMembers
{
    public static IReadOnlyList<SourceMember> In(string file) => In(file, File.ReadAllText(file));

    public static IReadOnlyList<SourceMember> In(string file, string text)
    {
        string code = SourceText.WithoutLiterals(text);
        List<SourceMember> found = [];
        Stack<bool> typeBodies = new([true]); // the file itself counts as one: namespaces and types stand in it
        int start = 0;
        int parentheses = 0;
        for (int at = 0; at < code.Length; at++)
        {
            char c = code[at];
            parentheses += c is '(' or '[' ? 1 : c is ')' or ']' ? -1 : 0;
            if (!typeBodies.Peek() && c is not '{' and not '}')
            {
                continue;
            }

            switch (c)
            {
                case '{' when !typeBodies.Peek() || parentheses > 0 || !IsTypeHeader(code[start..at]):
                    typeBodies.Push(false);
                    break;
                case '{':
                    typeBodies.Push(true);
                    start = at + 1;
                    break;
                case '}':
                    bool endsType = typeBodies.Pop();
                    if (typeBodies.Count == 0)
                    {
                        throw new FormatException($"{file}: a closing brace too many at line {LineOf(code, at)}");
                    }

                    if (typeBodies.Peek() && (endsType || EndsMember(code, start, at)))
                    {
                        if (!endsType)
                        {
                            Add(found, file, code, start, at);
                        }

                        start = at + 1;
                    }

                    break;
                case ';' when parentheses == 0:
                    Add(found, file, code, start, at);
                    start = at + 1;
                    break;
            }
        }

        return found;
    }

    private static bool IsTypeHeader(string header) =>
        !header.Contains("=>", StringComparison.Ordinal) && TypeHeader().IsMatch(header);

    /// <summary>A block after <c>=</c> or <c>=&gt;</c> is part of an expression, which ends at its semicolon.</summary>
    private static bool EndsMember(string code, int start, int at)
    {
        int brace = code.IndexOf('{', start);
        bool expression = brace >= 0 && Assignment().IsMatch(Parameters().Replace(code[start..brace], ""));
        bool initialised = code.AsSpan(at + 1).TrimStart().StartsWith("=");
        return !expression && !initialised;
    }

    /// <summary>Takes what has code: a body, or an expression after <c>=&gt;</c>. Fields and usings have none.</summary>
    private static void Add(List<SourceMember> found, string file, string code, int start, int end)
    {
        string member = code[start..end];
        bool hasCode = code[end] == '}' || member.Contains("=>", StringComparison.Ordinal);
        if (!hasCode)
        {
            return;
        }

        int first = start + member.Length - member.TrimStart().Length;
        int line = LineOf(code, first);
        string declaration = member.TrimStart().Split('\n')[0].Trim();
        found.Add(new SourceMember(file, line, declaration, LineOf(code, end) - line + 1));
    }

    private static int LineOf(string code, int at) => code.AsSpan(0, at).Count('\n') + 1;

    [GeneratedRegex(@"\b(class|struct|record|interface|enum|namespace|extension)\b")]
    private static partial Regex TypeHeader();

    /// <summary>Innermost or not, whatever stands in parentheses: default values are no assignments.</summary>
    [GeneratedRegex(@"\((?>[^()]+|(?<open>\()|(?<-open>\)))*(?(open)(?!))\)")]
    private static partial Regex Parameters();

    [GeneratedRegex(@"(?<![=!<>])=(?!=)")]
    private static partial Regex Assignment();
}
