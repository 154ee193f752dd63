namespace MeshL4.L4Proxy.Config.Decoding.Tree;

/// <summary>What a scalar is by its spelling; a quoted scalar is always a string.</summary>
internal enum ScalarKind { Null, Bool, Number, String }

/// <summary>One node of a YAML or JSON document, with its place in the text (1-based; 0 when it came from a Struct).</summary>
internal abstract class ConfigNode(int line)
{
    public int Line { get; } = line;

    /// <summary>Nodes in this subtree, aliases counted each time they are used.</summary>
    public int Size { get; protected set; } = 1;

    /// <summary>Levels of containers in this subtree; 0 for a scalar.</summary>
    public int Height { get; protected set; }

    /// <summary>For messages: "a mapping", "a string", ...</summary>
    public abstract string Description { get; }
}

/// <summary>A leaf. <see cref="Text"/> is the text as written, unquoted and unescaped.</summary>
internal sealed class ConfigScalar(string text, ScalarKind kind, int line) : ConfigNode(line)
{
    public string Text { get; } = text;

    public ScalarKind Kind { get; } = kind;

    public override string Description => Kind switch
    {
        ScalarKind.Null => "null",
        ScalarKind.Bool => "a boolean",
        ScalarKind.Number => "a number",
        _ => "a string",
    };
}

/// <summary>A list.</summary>
internal sealed class ConfigSequence(int line) : ConfigNode(line)
{
    private readonly List<ConfigNode> _items = [];

    public IReadOnlyList<ConfigNode> Items => _items;

    public override string Description => "a list";

    public void Add(ConfigNode item)
    {
        _items.Add(item);
        Size += item.Size;
        Height = Math.Max(Height, item.Height + 1);
    }
}

/// <summary>Keys with values, in the order written; keys are distinct.</summary>
internal sealed class ConfigMapping(int line) : ConfigNode(line)
{
    private readonly Dictionary<string, ConfigEntry> _byKey = new(StringComparer.Ordinal);
    private readonly List<ConfigEntry> _entries = [];

    public IReadOnlyList<ConfigEntry> Entries => _entries;

    public override string Description => "a mapping";

    public ConfigEntry? Find(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>Returns false, and keeps the first value, when the key is there already.</summary>
    public bool Add(string key, ConfigNode value, int keyLine)
    {
        ConfigEntry entry = new(key, value, keyLine);
        if (!_byKey.TryAdd(key, entry))
            return false;
        _entries.Add(entry);
        Size += value.Size + 1;
        Height = Math.Max(Height, value.Height + 1);
        return true;
    }
}

/// <summary>One key of a mapping with its value.</summary>
internal sealed record ConfigEntry(string Key, ConfigNode Value, int Line);
