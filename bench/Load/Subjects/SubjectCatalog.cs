using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>How each subject is started. MeshL4 is missing from it when only the rivals are measured.</summary>
internal sealed class SubjectCatalog
{
    private readonly Dictionary<string, Subject> _subjects;

    /// <param name="mesh">MeshL4 as a TCP relay, or null.</param>
    /// <param name="meshRedis">MeshL4 with its Redis codec, or null.</param>
    /// <param name="more">MeshL4 in other settings.</param>
    public SubjectCatalog(Subject? mesh, Subject? meshRedis, params Subject[] more)
    {
        Subject?[] all = [
            new HaproxySubject(SubjectNames.Haproxy, splice: false), new HaproxySubject(SubjectNames.HaproxyAgain, splice: false),
            new HaproxySubject(SubjectNames.HaproxySplice, splice: true), new HaproxySubject(SubjectNames.HaproxySpliceAgain, splice: true),
            new NginxSubject(), new TwemproxySubject(), mesh, meshRedis, .. more];
        _subjects = all.OfType<Subject>().ToDictionary(subject => subject.Name);
    }

    /// <summary>Whether the subject can be started in this run.</summary>
    public bool Has(string name) => name == SubjectNames.Direct || _subjects.ContainsKey(name);

    /// <summary>Starts a subject in front of <paramref name="upstreams"/>.</summary>
    public async Task<RunningSubject> StartAsync(
        string name, Workspace workspace, IReadOnlyList<IPEndPoint> upstreams, CancellationToken stop) =>
        name == SubjectNames.Direct ? DirectSubject.Over(upstreams) : await _subjects[name].StartAsync(workspace, upstreams, stop);
}
