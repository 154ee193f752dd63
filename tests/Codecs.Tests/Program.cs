using MeshL4.Codecs.Tests;
using MeshL4.Codecs.Tests.Hosted;
using MeshL4.L4Proxy;
using MeshL4.L4Proxy.Terminating.XRpc;

// Run as a program, these tests are the proxy with codecs of theirs: what no protocol of the build has can be tried through it.
return await ProxyProgram.RunAsync(args, new CodecSet().Add<LineCodec>().Add(() => new ThrowingConversation()).Add<UnplacedIdCodec>().Add<NarrowIdCodec>()
    .Add(() => new BeatConversation()).Add<BeatCodec<BeatsApart>>().Add<ThriftCodec<AnyOrder>>().Add<ThriftCodec<InOrder>>().Add<ThriftCodec<OneByOne>>().Add<TwoPlacesCodec>()
    .Add<HeadlessCodec>());
