namespace MeshL4.Micro.Operations;

/// <summary>Every operation under the name it has in <c>expected-allocations.json</c>.</summary>
internal static class MeasuredOperations
{
    /// <summary>A fresh set; each operation returns a number that proves it did its work, never 0 or less.</summary>
    public static IReadOnlyDictionary<string, Func<int>> Create()
    {
        var resp = new RespOperations();
        var codecs = new CodecOperations();
        var hello = new ClientHelloOperations();
        var chains = new ChainMatchOperations();
        return new Dictionary<string, Func<int>>
        {
            ["RespBenchmarks.RequestGet"] = resp.RequestGet,
            ["RespBenchmarks.RequestSet"] = resp.RequestSet,
            ["RespBenchmarks.RequestPipelineOf16"] = resp.RequestPipelineOf16,
            ["RespBenchmarks.RequestGetByteByByte"] = resp.RequestGetByteByByte,
            ["RespBenchmarks.ReplyValue"] = resp.ReplyValue,
            ["RespBenchmarks.ReplyPipelineOf16"] = resp.ReplyPipelineOf16,
            ["CodecBenchmarks.RedisGet"] = codecs.RedisGet,
            ["CodecBenchmarks.PingPongCall"] = codecs.PingPongCall,
            ["CodecBenchmarks.PingPongEdit"] = codecs.PingPongEdit,
            ["ClientHelloBenchmarks.Parse"] = hello.Parse,
            ["ChainMatchBenchmarks.ByPortAndProtocol"] = chains.ByPortAndProtocol,
            ["ChainMatchBenchmarks.ByServerName"] = chains.ByServerName,
        };
    }
}
