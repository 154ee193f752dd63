using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Plan;

public class AnnotationReaderTests
{
    private const string Istio = "traffic.sidecar.istio.io/";

    [Theory]
    [InlineData("sidecar.istio.io/interceptionMode=TPROXY", "istio-inbound-interception-mode", "TPROXY")]
    [InlineData("sidecar.istio.io/interceptionMode=NONE", "redirect-inbound", "false")]
    [InlineData("sidecar.istio.io/interceptionMode=NONE", "redirect-outbound", "false")]
    [InlineData(Istio + "includeInboundPorts=80,90", "istio-inbound-ports", "80,90")]
    [InlineData(Istio + "excludeInboundPorts=7", "istio-local-exclude-ports", "15090,15021,15020,7")]
    [InlineData(Istio + "includeOutboundIPRanges=*", "istio-service-cidr", "*")]
    [InlineData(Istio + "excludeOutboundIPRanges=10.0.0.0/8", "istio-service-exclude-cidr", "10.0.0.0/8")]
    [InlineData(Istio + "includeOutboundPorts=1", "istio-outbound-ports", "1")]
    [InlineData(Istio + "excludeOutboundPorts=2", "istio-local-outbound-ports-exclude", "2")]
    [InlineData(Istio + "excludeInterfaces=eth1", "istio-exclude-interfaces", "eth1")]
    [InlineData(Istio + "kubevirtInterfaces=k6t", "kube-virt-interfaces", "k6t")]
    [InlineData("istio.io/reroute-virtual-interfaces=k6t", "kube-virt-interfaces", "k6t")]
    [InlineData("config.linkerd.io/inbound-port=4143", "inbound-capture-port", "4143")]
    [InlineData("config.linkerd.io/outbound-port=4140", "envoy-port", "4140")]
    [InlineData("config.linkerd.io/proxy-uid=2102", "proxy-uid", "2102")]
    [InlineData("config.linkerd.io/skip-inbound-ports=25,8000-8010", "istio-local-exclude-ports", "25,8000-8010")]
    [InlineData("config.linkerd.io/skip-outbound-ports=3306", "istio-local-outbound-ports-exclude", "3306")]
    [InlineData("config.linkerd.io/skip-subnets=10.1.0.0/16", "subnets-to-ignore", "10.1.0.0/16")]
    public void Read_KnownAnnotation_IsItsFlag(string annotation, string flag, string value)
    {
        AnnotationReader reader = Read(annotation);
        reader.Errors.ShouldBeEmpty();
        string.Join(',', reader.Given[flag].Values).ShouldBe(value);
        reader.Given[flag].Origin.ShouldBe($"annotation {annotation.Split('=')[0]}");
    }

    [Theory]
    [InlineData(Istio + "includeInboundPort=80")]
    [InlineData("config.linkerd.io/skip-ports=80")]
    public void Read_UnknownOfAKnownPrefix_IsAnErrorThatNamesIt(string annotation) =>
        Read(annotation).Errors.ShouldHaveSingleItem().ShouldBe($"annotation {annotation.Split('=')[0]} '80': unknown");

    [Theory]
    [InlineData("skip-ports")]
    [InlineData("skip-inbound-port")]
    [InlineData("Skip-Outbound-Ports")]
    [InlineData("proxy-uids")]
    [InlineData("inbond-port")]
    [InlineData("admin-ports")]
    public void Read_LinkerdsMisspeltInAFile_IsAnErrorThatNamesIt(string name) =>
        ReadFile($"config.linkerd.io/{name}=\"80\"\n").Errors.ShouldHaveSingleItem().ShouldBe($"annotation config.linkerd.io/{name} '80': unknown");

    [Theory]
    [InlineData("proxy-metrics-hostname-labels")]
    [InlineData("tracing-enabled")]
    public void Read_LinkerdsOfALaterRelease_IsANoteInAFileAndAnErrorOutside(string name)
    {
        AnnotationReader reader = ReadFile($"config.linkerd.io/{name}=\"true\"\n");
        reader.Errors.ShouldBeEmpty();
        reader.Notes.ShouldHaveSingleItem().ShouldContain($"config.linkerd.io/{name}");
        Read($"config.linkerd.io/{name}=true").Errors.ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData("4190,4191,25", "config.linkerd.io/skip-inbound-ports=25")]
    [InlineData("4190,4191", "config.linkerd.io/proxy-uid=2102")]
    [InlineData("4190,5191", "config.linkerd.io/admin-port=5191")]
    [InlineData("5190,4191", "config.linkerd.io/control-port=5190")]
    [InlineData(null, "config.linkerd.io/opaque-ports=25")]
    [InlineData("15090,15021,15020,7", Istio + "excludeInboundPorts=7")]
    [InlineData("15090,15021,15020", Istio + "includeInboundPorts=*")]
    [InlineData("15090,15021,15020", Istio + "excludeOutboundPorts=7", Istio + "includeOutboundIPRanges=*")]
    [InlineData("15090,15021,15020", "sidecar.istio.io/interceptionMode=TPROXY")]
    [InlineData("15090,15021,15020", "istio.io/reroute-virtual-interfaces=k6t")]
    [InlineData("4190,4191,15090,15021,15020,25", "config.linkerd.io/skip-inbound-ports=25", Istio + "includeInboundPorts=*")]
    [InlineData("15090,15021,15999", Istio + "includeInboundPorts=*", "status.sidecar.istio.io/port=15999")]
    [InlineData("15090,15021,15999,7", Istio + "excludeInboundPorts=7", "status.sidecar.istio.io/port=15999")]
    [InlineData("15090,15021,15999", "status.sidecar.istio.io/port=15999")]
    [InlineData("15090,15021", Istio + "includeInboundPorts=*", "status.sidecar.istio.io/port=0")]
    [InlineData("15090,15021", Istio + "includeInboundPorts=*", "status.sidecar.istio.io/port=")]
    [InlineData("15090,15021,7", "status.sidecar.istio.io/port=0", Istio + "excludeInboundPorts=7")]
    [InlineData(null)]
    public void ExcludeOwnPorts_WhereAMeshsAnnotationsAreUsed_AddsThoseOfItsSidecar(string? ports, params string[] annotations)
    {
        const string Flag = "istio-local-exclude-ports";
        AnnotationReader reader = Read(annotations);
        reader.Errors.ShouldBeEmpty();
        Dictionary<string, FlagValues> flags = reader.Given.ToDictionary();
        reader.ExcludeOwnPorts(flags, new Dictionary<string, FlagValues>());
        (flags.GetValueOrDefault(Flag) is FlagValues v ? string.Join(',', v.Values) : null).ShouldBe(ports);
        Dictionary<string, FlagValues> given = Flags.Of((Flag, "9"));
        reader.ExcludeOwnPorts(given, given);
        given[Flag].Values.ShouldBe(["9"]);
    }

    [Theory]
    [InlineData("config.linkerd.io/admin-port", "x")]
    [InlineData("config.linkerd.io/admin-port", "0")]
    [InlineData("status.sidecar.istio.io/port", "15020-15021")]
    public void Read_SidecarsPortThatIsNone_IsAnErrorThatNamesIt(string annotation, string value) =>
        Read($"{annotation}={value}").Errors.ShouldHaveSingleItem().ShouldContain($"{annotation} '{value}'");

    [Fact]
    public void ExcludeOwnPorts_StatusPortInAFile_IsThere()
    {
        AnnotationReader reader = ReadFile($"status.sidecar.istio.io/port=\"15999\"\n{Istio}includeInboundPorts=\"*\"\n");
        Dictionary<string, FlagValues> flags = reader.Given.ToDictionary();
        reader.ExcludeOwnPorts(flags, new Dictionary<string, FlagValues>());
        string.Join(',', flags["istio-local-exclude-ports"].Values).ShouldBe("15090,15021,15999");
    }

    [Fact]
    public void Overruled_FlagThatSaysOtherwise_IsTold()
    {
        AnnotationReader reader = Read(Istio + "includeInboundPorts=80,90", "sidecar.istio.io/interceptionMode=NONE");
        reader.Overruled(Flags.Of(("istio-inbound-ports", "90,80"))).ShouldBeEmpty();
        reader.Overruled(Flags.Of(("istio-inbound-ports", "*"))).ShouldBe([$"--istio-inbound-ports '*' wins over annotation {Istio}includeInboundPorts '80,90'"]);
        reader.Overruled(Flags.Of(("istio-inbound-interception-mode", "TPROXY"))).Distinct()
            .ShouldBe(["--istio-inbound-interception-mode 'TPROXY' wins over annotation sidecar.istio.io/interceptionMode 'NONE'"]);
    }

    [Fact]
    public void Read_OthersAnnotations_AreIgnored()
    {
        AnnotationReader reader = ReadFile("kubernetes.io/config.seen=2026\nsidecar.istio.io/inject=true\nconfig.linkerd.io/opaque-ports=25\n");
        (reader.Errors.Count, reader.Given.Count).ShouldBe((0, 0));
        reader.Notes.ShouldHaveSingleItem().ShouldContain("config.linkerd.io/opaque-ports");
    }

    [Fact]
    public void Read_FileOfTheDownwardApiAndOfYaml_MeanTheSame()
    {
        AnnotationReader reader = ReadFile($"# a pod\n{Istio}includeInboundPorts=\"80,\\u0038081\"\n\n  {Istio}includeOutboundIPRanges: '*'\n{Istio}excludeOutboundPorts=9\nother=\"a=b: c\"\n");
        reader.Errors.ShouldBeEmpty();
        reader.Given.Select(g => $"{g.Key} {g.Value.Last}").ShouldBe(["istio-inbound-ports 80,8081", "istio-service-cidr *", "istio-local-outbound-ports-exclude 9"]);
    }

    [Theory]
    [InlineData("vendor.example/colours=\"\\x1b[31m \\a \\v \\U0001f600 \\q\"")]
    [InlineData("vendor.example/broken=\"x")]
    public void Read_OthersValueInAFile_IsNotLookedAt(string line)
    {
        AnnotationReader reader = ReadFile($"{line}\n{Istio}includeInboundPorts=\"80\"\n");
        reader.Errors.ShouldBeEmpty();
        reader.Given["istio-inbound-ports"].Last.ShouldBe("80");
    }

    [Theory]
    [InlineData("\"\\x1b\\a\\v\\U0001f600\\u00e9\\\\\\\"\\n\"", "\u001b\a\v\U0001f600\u00e9\\\"\n")]
    [InlineData("'it''s'", "it's")]
    [InlineData("plain\\n", "plain\\n")]
    [InlineData("\"a\\\"", null)]
    [InlineData("\"\\q\"", null)]
    [InlineData("\"\\x1\"", null)]
    [InlineData("\"\\ud800\"", null)]
    [InlineData("\"a\"b\"", null)]
    [InlineData("\"", null)]
    public void Read_QuotedText_IsWhatGoWrote(string text, string? expected) => QuotedText.Read(text).ShouldBe(expected);

    [Theory]
    [InlineData("traffic.sidecar.istio.ioo/includeInboundPorts=80")]
    [InlineData("sidecar.istio.io/interceptionmode=TPROXY")]
    public void Read_UnknownKeyOutsideAFile_IsAnErrorThatNamesIt(string annotation) =>
        Read(annotation).Errors.ShouldHaveSingleItem().ShouldContain($"{annotation.Split('=')[0]} '");

    [Fact]
    public void Read_PathWithAnEqualsSign_IsAFile()
    {
        string folder = Directory.CreateTempSubdirectory("a=b").FullName;
        try
        {
            string file = Path.Combine(folder, "c");
            File.WriteAllText(file, $"{Istio}includeInboundPorts=80\n");
            Read(file).Given["istio-inbound-ports"].Last.ShouldBe("80");
            Read($"@{file}").Given["istio-inbound-ports"].Last.ShouldBe("80");
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Fact]
    public void Read_TwoAnnotationsForOneFlag_IsAnError() =>
        Read(Istio + "kubevirtInterfaces=a", "istio.io/reroute-virtual-interfaces=b").Errors.ShouldHaveSingleItem().ShouldContain("--kube-virt-interfaces");

    [Theory]
    [InlineData("/no/such/file")]
    [InlineData("=80")]
    [InlineData(Istio + "includeInboundPorts=\"80")]
    [InlineData(Istio + "includeInboundPorts='80")]
    public void Read_NoAnnotation_IsAnError(string text) => Read(text).Errors.ShouldHaveSingleItem().ShouldContain(text.Trim('\''));

    private static AnnotationReader ReadFile(string text)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            return Read(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static AnnotationReader Read(params string[] sources)
    {
        var reader = new AnnotationReader();
        reader.Read(new FlagValues("--from-annotations", sources));
        return reader;
    }
}
