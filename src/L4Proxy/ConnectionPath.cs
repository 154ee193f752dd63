using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sniffing;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating;

namespace MeshL4.L4Proxy;

/// <summary>
/// The whole way of a connection: <see cref="ServeAsync"/> is the data path, one line a step. A step that returns false
/// has put its reason into the record. Everything runs on the loop that accepted the connection,
/// but for RPC clients that go to another: what follows goes on there.
/// </summary>
internal sealed class ConnectionPath(
    ConnectionGate gate, LoopGuard guard, NetworkFilters filters, Terminals terminals, ConnectionReporter reporter, ChainDrain drain)
{
    /// <summary>Serves one accepted connection to its end. Never throws.</summary>
    public async ValueTask ServeAsync(Downstream downstream)
    {
        try
        {
            if (Admit(downstream)
                && HasFilterSettings(downstream)
                && RestoreDestination(downstream, out IPEndPoint? target)
                && RefuseLoop(downstream, target)
                && HandOver(downstream)
                && HasFilterSettings(downstream)
                && await SniffAsync(downstream)
                && MatchChain(downstream)
                && await filters.AdmitAsync(downstream))
            {
                await terminals.RunAsync(downstream);
            }
        }
#pragma warning disable CA1031 // Any defect, in a codec above all, ends this connection and no other.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            downstream.Record.Fail(ResponseFlags.LR, EndedBy.Proxy, "internal_error_" + defect.GetType().Name);
            downstream.Loop.Fault(defect);
        }
        finally
        {
            Finish(downstream);
        }
    }

    private bool Admit(Downstream downstream)
    {
        reporter.Opened(downstream.Listener);
        downstream.Worker.Connections.Add(downstream);
        if (!gate.TryEnter())
        {
            downstream.Record.Fail(ResponseFlags.OM, EndedBy.Proxy, "downstream_connection_limit");
            return false;
        }

        downstream.HoldsGate = true;
        return true;
    }

    /// <summary>A listener filter without the settings it is to discover finds nothing out: who would be told apart by it goes no further.</summary>
    private static bool HasFilterSettings(Downstream downstream)
    {
        if (downstream.Listener.Filters.LacksConfig)
        {
            downstream.Record.Fail(ResponseFlags.NFCF, EndedBy.Proxy, ListenerFilters.ConfigMissing);
        }

        return !downstream.Listener.Filters.LacksConfig;
    }

    /// <summary><paramref name="target"/> is where it was really going, also on listeners that do not ask: what the loop guard compares.</summary>
    private static bool RestoreDestination(Downstream downstream, out IPEndPoint? target)
    {
        ConnectionRecord record = downstream.Record;
        ListenerSnapshot listener = downstream.Listener;
        record.Local = downstream.Socket.LocalEndPoint();
        target = record.Local;
        bool isWanted = listener.UseOriginalDestination
            || (listener.Filters.OriginalDestination && listener.Filters.OriginalDestinationDisabled?.Contains(record.Local?.Port ?? 0) != true);
        if (listener.Transparent)
        {
            record.LocalRestored = true;
        }
        else if (record.DirectRemote is { } peer && OriginalDestination.TryGet(downstream.Socket.Fd, peer.Address, out IPEndPoint destination))
        {
            target = destination;
            record.Local = isWanted ? destination : record.Local;
            record.LocalRestored = isWanted;
        }

        return true;
    }

    private bool RefuseLoop(Downstream downstream, IPEndPoint? target)
    {
        ConnectionRecord record = downstream.Record;
        if (guard.IsOwnUpstream(ProtocolType.Tcp, record.DirectRemote, target))
        {
            record.Fail(ResponseFlags.LR, EndedBy.Proxy, "loop_guard_own_upstream");
            return false;
        }

        return true;
    }

    /// <summary><c>use_original_dst</c>: the listener of the original destination takes over, else this one keeps it.</summary>
    private bool HandOver(Downstream downstream)
    {
        if (downstream.Listener.UseOriginalDestination
            && downstream.OriginalDestination is { } destination
            && ListenerTable.For(downstream.Snapshot).Find(destination) is { } owner
            && !ReferenceEquals(owner, downstream.Listener))
        {
            reporter.Moved(downstream.Listener, owner);
            downstream.Listener = owner;
            downstream.Record.Listener = owner;
        }

        return true;
    }

    private static async ValueTask<bool> SniffAsync(Downstream downstream)
    {
        ListenerFilters filters = downstream.Listener.Filters;
        int port = downstream.Record.Local?.Port ?? 0;
        if (!filters.NeedsBytes || !Sniffer.NeedsBytes(filters, port))
        {
            return true;
        }

        var sniffer = new Sniffer(filters, port);
        PipeReader input = downstream.Pipe.Input;
        var deadline = new SniffDeadline(downstream);
        try
        {
            SniffVerdict verdict;
            ReadOnlySequence<byte> buffer;
            do
            {
                ReadResult read = await input.ReadAsync();
                buffer = read.Buffer;
                bool last = read.IsCompleted || read.IsCanceled;
                verdict = last && !deadline.MayGoOn ? deadline.Refusal : last ? sniffer.Finish(buffer) : sniffer.Read(buffer);
                int skip = verdict.Result?.BytesToSkip ?? 0;
                input.AdvanceTo(buffer.GetPosition(skip), verdict.Status == SniffStatus.NeedMore ? buffer.End : buffer.GetPosition(skip));
            }
            while (verdict.Status == SniffStatus.NeedMore);

            return !downstream.IsCanceled && TakeVerdict(downstream, verdict);
        }
        catch (SocketResetException)
        {
            downstream.Record.Fail(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset_while_sniffing");
            return false;
        }
        finally
        {
            deadline.Dispose();
        }
    }

    private static bool TakeVerdict(Downstream downstream, SniffVerdict verdict)
    {
        ConnectionRecord record = downstream.Record;
        if (verdict.Result is not { } result)
        {
            record.Fail(ResponseFlags.DPE, EndedBy.Proxy, verdict.Reason!);
            return false;
        }

        downstream.Sniffed = result;
        record.TransportProtocol = result.TransportProtocol;
        record.ServerName = result.ServerName;
        record.ApplicationProtocols = result.ApplicationProtocols.IsDefaultOrEmpty ? null : string.Join(',', result.ApplicationProtocols);
        if (result.Proxy is { Source: { } source, Destination: { } destination })
        {
            record.Remote = source;
            record.Local = destination;
            record.LocalRestored = true;
        }

        return true;
    }

    private bool MatchChain(Downstream downstream)
    {
        ConnectionRecord record = downstream.Record;
        ListenerSnapshot listener = downstream.Listener;
        record.Chain = FilterChainMatcher.For(listener).Find(MatchInput.Of(downstream)) ?? listener.DefaultFilterChain;
        if (record.Chain is null)
        {
            record.Fail(ResponseFlags.NR, EndedBy.Proxy, "filter_chain_not_found");
        }
        else if (record.Chain.Refusal is { } refusal)
        {
            record.Fail(refusal == FilterChainSnapshot.FilterConfigMissing ? ResponseFlags.NFCF : ResponseFlags.NR, EndedBy.Proxy, refusal);
            return false;
        }

        drain.Chosen(downstream);
        return record.Chain is not null;
    }

    /// <summary>
    /// Gives everything back and reports. An end that was nobody's failure closes in order, and so does one whose reason
    /// the client was told in its own protocol, or that comes behind whole answers; any other resets.
    /// </summary>
    private void Finish(Downstream downstream)
    {
        ConnectionRecord record = downstream.Record;
        bool answered = record.BytesSent > 0 && (downstream.EndsInOrder || record.Flags is (ResponseFlags.None or ResponseFlags.DPE or ResponseFlags.UPE));
        if (answered && !downstream.IsCanceled && !downstream.ReachedEnd)
        {
            downstream.CloseAfterLastWords();
        }
        else
        {
            downstream.Close(reset: record.Flags != ResponseFlags.None && !downstream.EndsInOrder);
        }

        downstream.Worker.Connections.Remove(downstream);
        if (downstream.HoldsGate)
        {
            gate.Leave();
        }

        NetworkFilters.Leave(downstream);
        if (downstream.DrainTimer is { } pending)
        {
            downstream.Loop.Timers.Cancel(pending);
        }

        downstream.Record.Complete();
    }
}
