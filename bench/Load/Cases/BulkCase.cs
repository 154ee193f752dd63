using System.Globalization;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>One iperf3 stream, counted by the receiver.</summary>
internal sealed class BulkCase() : RateCase("bulk", "iperf3, one stream")
{
    public override IReadOnlyList<Bar> Bars => [
        new Bar(Rate.Metric, SubjectNames.Mesh, SubjectNames.HaproxySplice, AtLeast: true, 1.2)];

    public override (string Subject, string Again)? NoisePair => (SubjectNames.HaproxySplice, SubjectNames.HaproxySpliceAgain);

    protected override (string Metric, string Unit) Rate => ("throughput", "Gbit/s");

    protected override (string Metric, string Unit) Cost => ("CPU per MB", "us");

    protected override IReadOnlyList<string> Subjects => [
        SubjectNames.Direct, SubjectNames.Haproxy, SubjectNames.HaproxySplice, SubjectNames.Mesh, SubjectNames.Nginx,
        SubjectNames.HaproxySpliceAgain];

    protected override Task<Upstream> StartUpstreamAsync(CaseContext context) => Upstream.StartIperfAsync(context);

    protected override async Task<Measurement> LoadAsync(CaseContext context, RunningSubject subject, double seconds)
    {
        var target = subject.Targets[0];
        var time = Math.Ceiling(seconds).ToString(CultureInfo.InvariantCulture);
        var output = await ChildProcess.RunAsync(
            "iperf3", ["-c", $"{target.Address}", "-p", $"{target.Port}", "-t", time, "-J"], TimeSpan.FromSeconds(seconds + 20), context.Stop);
        var result = IperfOutput.Parse(output);
        return new Measurement(result.BitsPerSecond / 1e9, result.Bytes / 1e6);
    }
}
