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
    private const int MostDomains = 8;

    /// <summary>Thousands of names may fall due at once: each question has a socket.</summary>
    private const int MostQuestions = 64;

    private static readonly SemaphoreSlim Turns = new(MostQuestions);

    private enum Outcome
    {
        /// <summary>The name has no such addresses.</summary>
        Absent,

        /// <summary>It has.</summary>
        Found,

        /// <summary>No server says.</summary>
        Unknown,
    }

    /// <summary>The addresses and the least time to live of them; null when nobody tells.</summary>
    /// <param name="host">A name as libc takes it: search domains apply.</param>
    /// <param name="v4">Whether IPv4 addresses are used.</param>
    /// <param name="v6">Whether IPv6 addresses are used.</param>
    /// <param name="before">The name that answered last, which is asked for first; null for none.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<AddressLife?> AskAsync(string host, bool v4, bool v6, string? before, CancellationToken cancellation)
    {
        ResolverFile file = ResolverFile.Read(resolvConf, out _);
        foreach (string name in IPAddress.TryParse(host, out _) ? [] : Candidates(file, host, before))
        {
            (Outcome Outcome, AddressLife? Life)[] told = await Task.WhenAll(
                v4 ? AskAsync(file, name, DnsMessage.TypeA, cancellation) : Task.FromResult((Outcome.Absent, (AddressLife?)null)),
                v6 ? AskAsync(file, name, DnsMessage.TypeAaaa, cancellation) : Task.FromResult((Outcome.Absent, (AddressLife?)null))).ConfigureAwait(false);
            if (told.Select(static one => one.Life).OfType<AddressLife>().ToList() is { Count: > 0 } lives)
            {
                return lives.Aggregate(AddressLife.Of) with { Name = name };
            }

            if (told.Any(static one => one.Outcome == Outcome.Unknown))
            {
                return null; // libc may have its address from this very name.
            }
        }

        return null;
    }

    /// <summary>The name as it stands is among them, however many search domains there are.</summary>
    private static List<string> Candidates(ResolverFile file, string host, string? before)
    {
        List<string> names = [.. (file with { SearchDomains = [.. file.SearchDomains.Take(MostDomains)] }).Candidates(host)];
        if (before is not null && names.Remove(before))
        {
            names.Insert(0, before);
        }

        return names;
    }

    private async Task<(Outcome Outcome, AddressLife? Life)> AskAsync(ResolverFile file, string name, ushort type, CancellationToken cancellation)
    {
        ushort id = BinaryPrimitives.ReadUInt16BigEndian(RandomNumberGenerator.GetBytes(2));
        if (AddressQuestion.Write(id, name, type) is not { } message)
        {
            return (Outcome.Absent, default);
        }

        foreach (IPEndPoint server in file.Servers.Take(MostServers))
        {
            await Turns.WaitAsync(cancellation).ConfigureAwait(false);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(wait);
            try
            {
                (Outcome outcome, AddressLife? life) = await AskAsync(new IPEndPoint(server.Address, port), message, limit.Token).ConfigureAwait(false);
                if (outcome != Outcome.Unknown)
                {
                    return (outcome, life);
                }
            }
            catch (Exception failure) when (failure is SocketException || (failure is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                // The next server may know.
            }
            finally
            {
                Turns.Release();
            }
        }

        return (Outcome.Unknown, default);
    }

    private static async Task<(Outcome Outcome, AddressLife? Life)> AskAsync(IPEndPoint server, byte[] message, CancellationToken limit)
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
    private static (Outcome Outcome, AddressLife? Life)? Judge(ReadOnlySpan<byte> answer, byte[] message)
    {
        DnsQuery.Parse(message, stackalloc char[DnsQuery.LongestName], out DnsQuery query);
        return UpstreamAnswer.Check(answer, message, query, DnsMessage.Id(message)) switch
        {
            UpstreamVerdict.Foreign => null,
            UpstreamVerdict.Failure => (Outcome.Unknown, default),
            _ => AddressQuestion.LifetimeIn(answer, query) is { } life ? (Outcome.Found, (AddressLife?)life)
                : (DnsMessage.Flags(answer) & DnsMessage.TruncatedFlag) != 0 ? (Outcome.Unknown, (AddressLife?)null) : (Outcome.Absent, null),
        };
    }
}
