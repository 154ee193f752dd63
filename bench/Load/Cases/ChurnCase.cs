using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>Short connections: connect, one PING, read, close. Backends are 16 addresses of one redis-server.</summary>
internal sealed class ChurnCase() : RateCase("churn", "connect, one PING, close")
{
    public override IReadOnlyList<Bar> Bars => [
        new Bar(Rate.Metric, SubjectNames.Mesh, SubjectNames.Haproxy, AtLeast: true, 0.9)];

    public override (string Subject, string Again)? NoisePair => (SubjectNames.Haproxy, SubjectNames.HaproxyAgain);

    protected override (string Metric, string Unit) Rate => ("connections", "conn/s");

    protected override (string Metric, string Unit) Cost => ("CPU per connection", "us");

    protected override IReadOnlyList<string> Subjects => [
        SubjectNames.Direct, SubjectNames.Haproxy, SubjectNames.Mesh, SubjectNames.Nginx, SubjectNames.HaproxyAgain];

    protected override Task<Upstream> StartUpstreamAsync(CaseContext context) =>
        Upstream.StartRedisAsync(context, Loopback.Spread(net: 10, count: 16));

    protected override async Task<Measurement> LoadAsync(CaseContext context, RunningSubject subject, double seconds)
    {
        var (connections, elapsed) = await Task.Factory.StartNew(
            () => new ChurnClients(subject.Targets).Run(seconds, context.Stop), TaskCreationOptions.LongRunning);
        return new Measurement(connections / elapsed, connections);
    }
}
