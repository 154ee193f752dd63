namespace MeshL4.Load.Subjects;

/// <summary>The subjects of one case, ended together.</summary>
internal sealed class SubjectSet : IAsyncDisposable
{
    private readonly List<RunningSubject> _running = [];

    public IEnumerable<RunningSubject> All => _running;

    public void Add(RunningSubject subject) => _running.Add(subject);

    public async ValueTask DisposeAsync()
    {
        foreach (var subject in _running)
        {
            await subject.DisposeAsync();
        }
    }
}
