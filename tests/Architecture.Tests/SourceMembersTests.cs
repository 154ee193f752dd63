using MeshL4.Architecture.Tests.Reading;
using Shouldly;
using Xunit;

namespace MeshL4.Architecture.Tests;

/// <summary>The measuring stick itself, held against text whose members are known.</summary>
public class SourceMembersTests
{
    private const string Sample = """"
        using System;
        namespace A.B;

        /// <summary>A brace { in a comment.</summary>
        internal sealed class Sample(int seed) : IDisposable
        {
            private readonly int[] _list = new int[] { 1, 2 };
            private const string Raw = """ } " { """;
            public int Plain { get; set; } = 3;

            public string Text => $"{seed} }} {Format($"{'}'}")} \" {{";

            private int Sum(int a,
                int b = 2)
            {
                if (a > b)
                {
                    return a;
                }

                return b;
            }

            private struct Inner
            {
                public void Dispose() { }
            }
        }
        """";

    [Fact]
    public void In_SampleOfEveryShape_FindsMembersWithCodeAndTheirLines()
    {
        IReadOnlyList<SourceMember> members = SourceMembers.In("Sample.cs", Sample);

        members.Select(static member => $"{member.Line}+{member.Lines} {member.Declaration}").ShouldBe([
            "11+1 public string Text =>",
            "13+10 private int Sum(int a,",
            "26+1 public void Dispose() {",
        ]);
    }

    [Fact]
    public void WithoutLiterals_CommentAtEndWithoutNewline_IsBlanked() =>
        SourceText.WithoutLiterals("int a; // {").ShouldBe("int a;     ");
}
