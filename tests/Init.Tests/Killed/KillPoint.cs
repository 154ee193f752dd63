namespace MeshL4.Init.Tests.Killed;

/// <summary>A system call that writes, before which everything is killed.</summary>
/// <param name="Program">Which program makes it: the number of the execution that meshl4-init started, or 0 for meshl4-init itself.</param>
/// <param name="Name">Its name, for messages.</param>
/// <param name="Call">The system call.</param>
/// <param name="Nth">Which of this program's calls of that name, from 1.</param>
internal sealed record KillPoint(int Program, string Name, string Call, int Nth);
