using MeshL4.L4Proxy;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Tests;

// Run as a program, these tests are a proxy whose clients have a conversation each.
return await ProxyProgram.RunAsync(args, new CodecSet().Add<PingPongCodec>(() => new CountingConversation()));
