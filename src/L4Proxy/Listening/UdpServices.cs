using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Listening;

/// <summary>What listeners need besides their sockets.</summary>
/// <param name="Snapshots">Has the clusters.</param>
/// <param name="Reporter">Takes records and counts.</param>
/// <param name="Guard">Refuses datagrams of this process that came back to it.</param>
/// <param name="Sessions">Bounds the UDP sessions of the process, each with two sockets at most.</param>
internal sealed record UdpServices(SnapshotStore Snapshots, ConnectionReporter Reporter, LoopGuard Guard, ConnectionGate Sessions);
