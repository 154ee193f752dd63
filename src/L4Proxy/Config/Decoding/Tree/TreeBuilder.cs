namespace MeshL4.L4Proxy.Config.Decoding.Tree;

/// <summary>The text cannot be read on from here.</summary>
internal sealed class ConfigSyntaxException(string message, int line) : Exception(message)
{
    public int Line { get; } = line;
}

/// <summary>Builds a tree from a parser's events, with a stack of its own and within bounds.</summary>
internal sealed class TreeBuilder(IssueScope scope)
{
    /// <summary>Containers inside one another. The decoders recurse on the tree, so this bounds their stack too.</summary>
    public const int MaxDepth = 64;

    /// <summary>Nodes of one document.</summary>
    public const int MaxNodes = 4_000_000;

    /// <summary>Nodes that aliases may add to a document, counted each time.</summary>
    public const int MaxAliasedNodes = 100_000;

    private readonly Stack<Frame> _open = new();
    private readonly Dictionary<string, ConfigNode> _anchors = new(StringComparer.Ordinal);
    private int _nodes;
    private int _aliased;

    /// <summary>The finished document; null until its last container is closed.</summary>
    public ConfigNode? Root { get; private set; }

    /// <summary>True where a scalar is a mapping's key.</summary>
    public bool ExpectsKey => _open.TryPeek(out Frame? top) && top.Container is ConfigMapping && top.Key is null;

    public void Key(string key, int line) => (_open.Peek().Key, _open.Peek().KeyLine) = (key, line);

    public void Scalar(ConfigScalar scalar, string? anchor)
    {
        Count(scalar.Line);
        Attach(scalar, anchor);
    }

    public void Start(ConfigNode container, string? anchor)
    {
        if (ExpectsKey)
            throw new ConfigSyntaxException($"{container.Description} cannot be a key", container.Line);
        if (_open.Count >= MaxDepth)
            throw new ConfigSyntaxException($"is nested deeper than {MaxDepth} levels", container.Line);
        Count(container.Line);
        _open.Push(new(container, anchor));
    }

    public void End()
    {
        Frame closed = _open.Pop();
        Attach(closed.Container, closed.Anchor);
    }

    public void Alias(string name, int line)
    {
        if (ExpectsKey)
            throw new ConfigSyntaxException("an alias cannot be a key", line);
        if (!_anchors.TryGetValue(name, out ConfigNode? target))
            throw new ConfigSyntaxException($"alias *{name} stands for nothing before it, or for what contains it", line);
        if (target.Size > MaxAliasedNodes - _aliased)
            throw new ConfigSyntaxException($"aliases add more than {MaxAliasedNodes} values", line);
        if (_open.Count + target.Height > MaxDepth)
            throw new ConfigSyntaxException($"alias *{name} nests deeper than {MaxDepth} levels", line);
        _aliased += target.Size;
        Attach(target, null);
    }

    private void Count(int line)
    {
        if (++_nodes > MaxNodes)
            throw new ConfigSyntaxException($"has more than {MaxNodes} values", line);
    }

    private void Attach(ConfigNode node, string? anchor)
    {
        if (anchor is not null)
            _anchors[anchor] = node;
        if (!_open.TryPeek(out Frame? top))
            Root = node;
        else if (top.Container is ConfigSequence list)
            list.Add(node);
        else
            AttachValue(top, (ConfigMapping)top.Container, node);
    }

    private void AttachValue(Frame frame, ConfigMapping mapping, ConfigNode node)
    {
        string key = frame.Key!;
        frame.Key = null;
        if (key == "<<")
            scope.Error(Place(), "merge keys are not supported", frame.KeyLine);
        else if (!mapping.Add(key, node, frame.KeyLine))
            scope.Error(Place().Field(key), $"is written twice, first on line {mapping.Find(key)!.Line}", frame.KeyLine);
    }

    private FieldPath Place()
    {
        FieldPath path = FieldPath.Root;
        foreach (Frame frame in _open.Reverse())
        {
            if (frame.Container is ConfigSequence list)
                path = path.Index(list.Items.Count);
            else if (frame.Key is not null)
                path = path.Field(frame.Key);
        }
        return path;
    }

    private sealed class Frame(ConfigNode container, string? anchor)
    {
        public ConfigNode Container { get; } = container;

        public string? Anchor { get; } = anchor;

        public string? Key { get; set; }

        public int KeyLine { get; set; }
    }
}
