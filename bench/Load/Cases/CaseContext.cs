using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>What every case of one run shares.</summary>
/// <param name="Rounds">How many times each subject is measured.</param>
/// <param name="Seconds">About how long one measurement lasts.</param>
/// <param name="Subjects">How to start each subject, by name.</param>
/// <param name="Workspace">Where configurations go.</param>
/// <param name="Progress">Takes one line about what is going on.</param>
/// <param name="Stop">Cancelled by Ctrl+C.</param>
internal sealed record CaseContext(
    int Rounds, double Seconds, SubjectCatalog Subjects, Workspace Workspace, Action<string> Progress, CancellationToken Stop);
