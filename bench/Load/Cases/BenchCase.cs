namespace MeshL4.Load.Cases;

/// <summary>One line of the bars table: what is run, with which subjects, and what must come out.</summary>
internal abstract class BenchCase(string name, string what)
{
    /// <summary>The name of <c>--case</c>.</summary>
    public string Name { get; } = name;

    /// <summary>One sentence for people.</summary>
    public string What { get; } = what;

    /// <summary>Subjects without which the case says nothing; empty when rivals alone are worth a look.</summary>
    public virtual IReadOnlyList<string> Needs => [];

    /// <summary>The bars, all about subjects of this case.</summary>
    public abstract IReadOnlyList<Bar> Bars { get; }

    /// <summary>The pair that is the same program twice: its ratio is the noise of the run. Null for absolute figures.</summary>
    public virtual (string Subject, string Again)? NoisePair => null;

    /// <summary>Measures everything.</summary>
    /// <exception cref="Measuring.VoidRunException">A subject gave no figure.</exception>
    public abstract Task<CaseResult> RunAsync(CaseContext context);
}
