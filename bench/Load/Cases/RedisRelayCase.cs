using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>Redis through the TCP relay, beside the rivals.</summary>
internal sealed class RedisRelayCase(int pipeline)
    : RedisCase($"redis-p{pipeline}", $"redis GET, pipeline {pipeline}, through the TCP relay", pipeline)
{
    public override IReadOnlyList<Bar> Bars => [
        new Bar(Rate.Metric, SubjectNames.Mesh, SubjectNames.Haproxy, AtLeast: true, 1.0),
        new Bar(Cost.Metric, SubjectNames.Mesh, SubjectNames.Haproxy, AtLeast: false, 1.0)];

    public override (string Subject, string Again)? NoisePair => (SubjectNames.Haproxy, SubjectNames.HaproxyAgain);

    protected override IReadOnlyList<string> Subjects => [
        SubjectNames.Direct, SubjectNames.Haproxy, SubjectNames.Mesh, SubjectNames.Nginx, SubjectNames.HaproxyAgain];
}
