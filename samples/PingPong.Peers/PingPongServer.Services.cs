using System.Globalization;

namespace MeshL4.Samples.PingPong.Peers;

/// <content>What the services do.</content>
public sealed partial class PingPongServer
{
    /// <summary>Characters of an item of <c>bulk</c>: more than a proxy holds of an answer.</summary>
    public const int BulkItem = 200_000;

    /// <summary>Characters of an answer of <c>huge</c>: more than a proxy holds of a frame that does not tell what it is.</summary>
    public const int HugeAnswer = 2 * 1024 * 1024;

    private async Task AnswerAsync(PingPongConnection from, PingPongMessage message)
    {
        switch (message.Kind)
        {
            case PingPongKind.Ping:
                Interlocked.Increment(ref _pings);
                await from.WriteAsync(new PingPongMessage(PingPongKind.Pong, message.Id));
                break;
            case PingPongKind.Pong:
                Interlocked.Increment(ref _pongs);
                if (_beats.TryRemove((from, message.Id), out PingPongMessage? waiting))
                {
                    await from.WriteAsync(waiting);
                }

                break;
            case PingPongKind.Notify:
                Interlocked.Increment(ref _notified);
                break;
            case PingPongKind.Subscribe:
                await CountDownAsync(from, message);
                break;
            case PingPongKind.Call when IsFrozen:
                _frozen.Enqueue((from, message));
                break;
            case PingPongKind.Call:
                await CallAsync(from, message);
                break;
        }
    }

    /// <summary>Lets one answer of <c>half</c> go on.</summary>
    public void Release() => _released.Release();

    /// <summary>Answers what came while <see cref="IsFrozen"/>, and goes on as before.</summary>
    public async Task ThawAsync()
    {
        IsFrozen = false;
        while (_frozen.TryDequeue(out (PingPongConnection From, PingPongMessage Call) late))
        {
            await CallAsync(late.From, late.Call);
        }
    }

    /// <summary>Answers the call that came last while <see cref="IsFrozen"/>; those before it wait on.</summary>
    public async Task AnswerNewestAsync()
    {
        var older = new List<(PingPongConnection From, PingPongMessage Call)>();
        while (_frozen.TryDequeue(out (PingPongConnection From, PingPongMessage Call) held))
        {
            older.Add(held);
        }

        (PingPongConnection from, PingPongMessage newest) = older[^1];
        older[..^1].ForEach(_frozen.Enqueue);
        await CallAsync(from, newest);
    }

    private async Task CountDownAsync(PingPongConnection from, PingPongMessage message)
    {
        for (int i = Number(message); i > 0; i--)
        {
            if (message.Service == "slow")
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), _stop.Token);
            }

            string item = i.ToString(CultureInfo.InvariantCulture);
            await from.WriteAsync(new PingPongMessage(PingPongKind.Item, message.Id, "", message.Service.StartsWith("bulk", StringComparison.Ordinal) ? item.PadLeft(BulkItem) : item));
        }

        if (message.Service.EndsWith("stuck", StringComparison.Ordinal))
        {
            return;
        }

        if (message.Service.EndsWith("broken", StringComparison.Ordinal))
        {
            from.Dispose();
            return;
        }

        if (message.Service == "torn")
        {
            await from.WriteAsync(PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Item, message.Id, "", new string('t', BulkItem)))[..^3]);
            from.Dispose();
            return;
        }

        await from.WriteAsync(new PingPongMessage(PingPongKind.End, message.Id));
    }

    private async Task CallAsync(PingPongConnection from, PingPongMessage call)
    {
        var result = new PingPongMessage(PingPongKind.Result, call.Id, "", call.Payload);
        switch (call.Service)
        {
            case "who":
                await from.WriteAsync(result with { Payload = $"{Name} {call.Service} {call.Tenant} {call.Lane}" });
                break;
            case "reverse":
                await HoldAsync(from, call);
                break;
            case "beat":
                _beats[(from, call.Id)] = result;
                await from.WriteAsync(new PingPongMessage(PingPongKind.Ping, call.Id));
                break;
            case "longbeat":
                _beats[(from, call.Id)] = result;
                await from.WriteAsync(new PingPongMessage(PingPongKind.Ping, call.Id, "", new string('b', BulkItem)));
                break;
            case "long":
                await from.WriteAsync(result with { Payload = call.Payload.PadLeft(BulkItem) });
                break;
            case "huge":
                await from.WriteAsync(result with { Payload = new string('h', HugeAnswer) });
                break;
            case "half":
                await InHalvesAsync(from, result with { Payload = call.Payload.PadLeft(BulkItem) });
                break;
            case "fail":
                await from.WriteAsync(result with { Kind = PingPongKind.Failure });
                break;
            case "never":
                break;
            case "close":
                from.Dispose();
                break;
            case "partial":
                await from.WriteAsync(PingPongConnection.Bytes(result with { Payload = "cut off" })[..^3]);
                from.Dispose();
                break;
            case "cut":
                await from.WriteAsync(PingPongConnection.Bytes(result with { Payload = new string('c', BulkItem) })[..^3]);
                from.Dispose();
                break;
            case "garbage":
                await from.WriteAsync("this is no frame at all"u8.ToArray());
                break;
            case "aside":
                await from.WriteAsync(new PingPongMessage(PingPongKind.End, call.Id, "", "aside"), new PingPongMessage(PingPongKind.End, call.Id, "", new string('e', BulkItem)), result);
                break;
            case "away":
                await from.WriteAsync(new PingPongMessage(PingPongKind.GoAway, 1), result);
                break;
            default:
                await from.WriteAsync(result);
                break;
        }
    }

    private async Task InHalvesAsync(PingPongConnection from, PingPongMessage result)
    {
        ReadOnlyMemory<byte> bytes = PingPongConnection.Bytes(result);
        await from.WriteAsync(bytes[..(BulkItem / 2)]);
        await _released.WaitAsync(_stop.Token);
        await from.WriteAsync(bytes[(BulkItem / 2)..]);
    }

    private async Task HoldAsync(PingPongConnection from, PingPongMessage call)
    {
        (PingPongConnection To, PingPongMessage Call)[] ready;
        lock (_held)
        {
            RepeatedIds += _held.Any(held => held.To == from && held.Call.Id == call.Id) ? 1 : 0;
            _held.Add((from, call));
            if (_held.Count < Number(call))
            {
                return;
            }

            ready = [.. _held];
            _held.Clear();
        }

        foreach ((PingPongConnection to, PingPongMessage held) in ready.Reverse())
        {
            await to.WriteAsync(new PingPongMessage(PingPongKind.Result, held.Id, "", $"{held.Payload} {held.Tenant}"));
        }
    }
}
