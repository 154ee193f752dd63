using System.Collections.Concurrent;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// One resource type on one stream: what is wanted, what the server was told, and which versions are held. Versions outlive a stream,
/// nonces do not. Wanted names may be set by any thread; all else belongs to the stream's own task.
/// </summary>
internal sealed class Subscription(string typeUrl)
{
    private volatile Wish _wish = new(false, new HashSet<string>(StringComparer.Ordinal));

    public string TypeUrl => typeUrl;

    /// <summary>What is wanted now.</summary>
    public Wish Wanted => _wish;

    /// <summary>True once something was asked for on the present stream.</summary>
    public bool Requested { get; set; }

    /// <summary>Names the server knows to be wanted, on the present stream.</summary>
    public IReadOnlySet<string> Told { get; set; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Nonce of the last response on the present stream.</summary>
    public string Nonce { get; set; } = "";

    /// <summary>State of the world: version of the last response that was accepted.</summary>
    public string Version { get; set; } = "";

    /// <summary>Delta: versions of the resources that run as sent.</summary>
    public Dictionary<string, string> Held { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether a server is told versions: it may have nothing newer to say.</summary>
    public bool HoldsVersions => Version.Length > 0 || Held.Count > 0;

    /// <summary>
    /// True until the first response: with nothing held, delta too begins with the whole world. What runs already, from the snapshot on
    /// disk, and is not in it, is gone.
    /// </summary>
    public bool ExpectsWorld { get; set; } = true;

    /// <summary>Names whose time to live is over, put here by any thread: their versions are held no longer.</summary>
    public ConcurrentQueue<string> Expired { get; } = new();

    /// <summary>
    /// Names whose resources were let go because nobody wanted them, put here by any thread behind the wish without them: who wants them
    /// again needs them sent again, also when the server never learnt that they were not wanted.
    /// </summary>
    public ConcurrentQueue<string> LetGo { get; } = new();

    /// <summary>Told of each name let go: its time to live is of no use to anybody any more.</summary>
    public Action<string>? Released { get; set; }

    /// <summary>Under the sink's lock, behind the wish without it: nobody wants a name any more, and its resource is let go.</summary>
    public void Release(string name)
    {
        LetGo.Enqueue(name);
        Released?.Invoke(name);
    }

    /// <summary>Forgets the versions of what outlived its time: the server is to send it again.</summary>
    public void ForgetExpired()
    {
        while (Expired.TryDequeue(out string? name))
        {
            Held.Remove(name);
            Version = "";
        }
    }

    /// <summary>Takes what is wanted, and which of it was let go since the last call: its versions are held no longer.</summary>
    public Wish TakeWish(out HashSet<string> again)
    {
        again = new HashSet<string>(StringComparer.Ordinal);
        Wish wish;
        do
        {
            wish = _wish;
            while (LetGo.TryDequeue(out string? name))
            {
                Held.Remove(name);
                again.Add(name);
            }
        }
        while (wish != _wish);
        again.IntersectWith(wish.Names);
        again.IntersectWith(Told);
        return wish;
    }

    /// <summary>Asks for everything of the type.</summary>
    public void WantAll() => _wish = _wish with { All = true };

    /// <summary>Asks for exactly these names.</summary>
    public void Want(IReadOnlySet<string> names) => _wish = new Wish(false, names);

    /// <summary>Forgets what belonged to the stream that ended.</summary>
    public void StartStream()
    {
        Requested = false;
        Told = new HashSet<string>(StringComparer.Ordinal);
        Nonce = "";
    }

    /// <summary>What is asked for; nothing, when neither part says anything.</summary>
    /// <param name="All">Everything of the type.</param>
    /// <param name="Names">These resources.</param>
    internal sealed record Wish(bool All, IReadOnlySet<string> Names)
    {
        public bool IsNothing => !All && Names.Count == 0;
    }
}
