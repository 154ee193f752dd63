using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>Redis through the codec, beside our own TCP relay.</summary>
internal sealed class RedisCodecCase(int pipeline)
    : RedisCase($"redis-codec-p{pipeline}", $"redis GET, pipeline {pipeline}, through the Redis codec, counters on", pipeline)
{
    public override IReadOnlyList<string> Needs => [SubjectNames.Mesh, SubjectNames.MeshRedis];

    public override IReadOnlyList<Bar> Bars => [
        new Bar(Rate.Metric, SubjectNames.MeshRedis, SubjectNames.Mesh, AtLeast: true, 0.85)];

    public override (string Subject, string Again)? NoisePair => (SubjectNames.Haproxy, SubjectNames.HaproxyAgain);

    protected override IReadOnlyList<string> Subjects => [
        SubjectNames.Haproxy, SubjectNames.Mesh, SubjectNames.MeshRedis, SubjectNames.HaproxyAgain];
}
