using MeshL4.L4Proxy;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.Samples.PingPong;

// The proxy with one protocol more: the command line, the configuration and everything else are those of meshl4-proxy.
return await ProxyProgram.RunAsync(args, new CodecSet().Add<PingPongCodec>());
