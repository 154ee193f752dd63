using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// Asks the servers of resolv.conf(5) how long the addresses of a name live, which libc's resolver does not tell. The addresses themselves
/// are libc's: /etc/hosts and everything else it heeds stay heeded.
/// </summary>
/// <param name="resolvConf">The file, read for each question.</param>
/// <param name="wait">How long one server may take.</param>
/// <param name="port">Port of the servers.</param>
internal sealed class AddressLifetimes(string resolvConf, TimeSpan wait, int port = 53)
{
    private const int MostServers = 3;
    private const int MostCandidates = 8;

    private enum Outcome
    {
        /// <summary>The name has no such addresses.</summary>
        Absent,

        /// <summary>It has.</summary>
        Found,

        /// <summary>No server says.</summary>
        Unknown,
    }

    /// <summary>The least time to live of the addresses; null when nobody tells.</summary>
    /// <param name="host">A name as libc takes it: search domains apply.</param>
    /// <param name="v4">Whether IPv4 addresses are used.</param>
    /// <param name="v6">Whether IPv6 addresses are used.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<TimeSpan?> AskAsync(string host, bool v4, bool v6, CancellationToken cancellation)
    {
        ResolverFile file = ResolverFile.Read(resolvConf, out _);
        foreach (string name in IPAddress.TryParse(host, out _) ? [] : file.Candidates(host).Take(MostCandidates))
        {
            (Outcome Outcome, TimeSpan Life)[] told = await Task.WhenAll(
                v4 ? AskAsync(file, name, DnsMessage.TypeA, cancellation) : Task.FromResult((Outcome.Absent, TimeSpan.Zero)),
                v6 ? AskAsync(file, name, DnsMessage.TypeAaaa, cancellation) : Task.FromResult((Outcome.Absent, TimeSpan.Zero))).ConfigureAwait(false);
            if (told.Any(static one => one.Outcome == Outcome.Found))
            {
                return told.Where(static one => one.Outcome == Outcome.Found).Min(static one => one.Life);
            }

            if (told.Any(static one => one.Outcome == Outcome.Unknown))
            {
                return null; // libc may have its address from this very name.
            }
        }

        return null;
    }

    private async Task<(Outcome Outcome, TimeSpan Life)> AskAsync(ResolverFile file, string name, ushort type, CancellationToken cancellation)
    {
        ushort id = BinaryPrimitives.ReadUInt16BigEndian(RandomNumberGenerator.GetBytes(2));
        if (AddressQuestion.Write(id, name, type) is not { } message)
        {
            return (Outcome.Absent, default);
        }

        foreach (IPEndPoint server in file.Servers.Take(MostServers))
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(wait);
            try
            {
                (Outcome outcome, TimeSpan life) = await AskAsync(new IPEndPoint(server.Address, port), message, limit.Token).ConfigureAwait(false);
                if (outcome != Outcome.Unknown)
                {
                    return (outcome, life);
                }
            }
            catch (Exception failure) when (failure is SocketException || (failure is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                // The next server may know.
            }
        }

        return (Outcome.Unknown, default);
    }

    private static async Task<(Outcome Outcome, TimeSpan Life)> AskAsync(IPEndPoint server, byte[] message, CancellationToken limit)
    {
        // Connected, and from a port of the kernel's choice: only who sees the question can answer it.
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, limit).ConfigureAwait(false);
        await socket.SendAsync(message, limit).ConfigureAwait(false);
        byte[] buffer = new byte[DnsMessage.LongestQuery];
        while (true)
        {
            int length = await socket.ReceiveAsync(buffer, limit).ConfigureAwait(false);
            if (Judge(buffer.AsSpan(0, length), message) is { } told)
            {
                return told;
            }
        }
    }

    /// <summary>Null for what is no answer to the question.</summary>
    private static (Outcome Outcome, TimeSpan Life)? Judge(ReadOnlySpan<byte> answer, byte[] message)
    {
        DnsQuery.Parse(message, stackalloc char[DnsQuery.LongestName], out DnsQuery query);
        return UpstreamAnswer.Check(answer, message, query, DnsMessage.Id(message)) switch
        {
            UpstreamVerdict.Foreign => null,
            UpstreamVerdict.Failure => (Outcome.Unknown, default),
            _ => AddressQuestion.LifetimeIn(answer, query) is { } life ? (Outcome.Found, life)
                : (DnsMessage.Flags(answer) & DnsMessage.TruncatedFlag) != 0 ? (Outcome.Unknown, default) : (Outcome.Absent, default),
        };
    }
}
