using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(MeshL4.Micro.RespBenchmarks).Assembly).Run(args);
