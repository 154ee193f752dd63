using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Listening;

/// <summary>What listeners need besides their sockets.</summary>
internal sealed record UdpServices(SnapshotStore Snapshots, ConnectionReporter Reporter, LoopGuard Guard);
