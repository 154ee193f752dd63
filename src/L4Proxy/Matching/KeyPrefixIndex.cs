using System.Text;

namespace MeshL4.L4Proxy.Matching;

/// <summary>
/// Finds the longest of many prefixes a key begins with. A trie in flat arrays whose edges carry as many bytes as
/// they can, so that the time depends on the key's first bytes and hardly on the number of prefixes. Immutable.
/// </summary>
internal sealed class KeyPrefixIndex
{
    /// <summary>Nothing found.</summary>
    public const int None = -1;

    private readonly Node[] _nodes;
    private readonly byte[] _labels;
    private readonly byte[] _firsts;
    private readonly bool _ignoreCase;

    /// <summary>Compiles the prefixes; the value of one is its place in the list, of equal ones the first place.</summary>
    /// <param name="prefixes">May be empty strings, which every key begins with.</param>
    /// <param name="ignoreCase">Whether ASCII letters are equal in both cases.</param>
    public KeyPrefixIndex(IReadOnlyList<ReadOnlyMemory<byte>> prefixes, bool ignoreCase)
    {
        _ignoreCase = ignoreCase;
        byte[][] texts = [.. prefixes.Select(prefix => ignoreCase ? Lower(prefix.Span) : prefix.ToArray())];
        int[] order = [.. Enumerable.Range(0, texts.Length).OrderBy(i => texts[i], ByteOrder.Instance).ThenBy(static i => i)];
        LongestPrefix = texts.Length == 0 ? 0 : texts.Max(static text => text.Length);
        var builder = new Builder(texts, order);
        builder.Build();
        (_nodes, _labels, _firsts) = (builder.Nodes, builder.Labels, builder.Firsts);
    }

    /// <summary>Bytes of a key that matter.</summary>
    public int LongestPrefix { get; }

    /// <summary>Place of the longest prefix of <paramref name="key"/>, or <see cref="None"/>.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        int best = None;
        int at = 0;
        int depth = 0;
        while (true)
        {
            ref readonly Node node = ref _nodes[at];
            ReadOnlySpan<byte> label = _labels.AsSpan(node.Label, node.LabelLength);
            if (!BeginsWith(key[depth..], label))
            {
                return best;
            }

            depth += label.Length;
            best = node.Value >= 0 ? node.Value : best;
            if (node.Children == 0 || depth == key.Length)
            {
                return best;
            }

            byte next = _ignoreCase ? Lower(key[depth]) : key[depth];
            int child = _firsts.AsSpan(node.FirstChild, node.Children).IndexOf(next);
            if (child < 0)
            {
                return best;
            }

            at = node.FirstChild + child;
        }
    }

    private bool BeginsWith(ReadOnlySpan<byte> key, ReadOnlySpan<byte> label)
        => _ignoreCase ? key.Length >= label.Length && Ascii.EqualsIgnoreCase(key[..label.Length], label) : key.StartsWith(label);

    private static byte Lower(byte value) => value is >= (byte)'A' and <= (byte)'Z' ? (byte)(value | 0x20) : value;

    private static byte[] Lower(ReadOnlySpan<byte> text)
    {
        byte[] lower = text.ToArray();
        for (int i = 0; i < lower.Length; i++)
        {
            lower[i] = Lower(lower[i]);
        }

        return lower;
    }

    /// <summary>An edge's bytes and the node behind it. A node's children lie side by side, so that their first bytes are searched at once.</summary>
    private struct Node
    {
        public int Label;
        public int LabelLength;
        public int FirstChild;
        public int Children;
        public int Value;
    }

    private sealed class ByteOrder : IComparer<byte[]>
    {
        public static readonly ByteOrder Instance = new();

        public int Compare(byte[]? left, byte[]? right) => left.AsSpan().SequenceCompareTo(right);
    }

    /// <summary>Level by level over the sorted prefixes: each node is a range of them that share its bytes.</summary>
    private sealed class Builder(byte[][] texts, int[] order)
    {
        private readonly List<Node> _nodes = [];
        private readonly List<byte> _labels = [];
        private readonly List<byte> _firsts = [];
        private readonly Queue<(int Node, int From, int To, int Depth)> _open = new();

        public Node[] Nodes => [.. _nodes];

        public byte[] Labels => [.. _labels];

        public byte[] Firsts => [.. _firsts];

        public void Build()
        {
            Add(0, order.Length, 0);
            while (_open.TryDequeue(out (int Node, int From, int To, int Depth) range))
            {
                Expand(range.Node, range.From, range.To, range.Depth);
            }
        }

        private void Expand(int at, int from, int to, int depth)
        {
            // Prefixes that end here sort first.
            while (from < to && texts[order[from]].Length == depth)
            {
                from++;
            }

            Node node = _nodes[at];
            node.FirstChild = _nodes.Count;
            for (int start = from; start < to;)
            {
                byte first = texts[order[start]][depth];
                int end = start + 1;
                while (end < to && texts[order[end]][depth] == first)
                {
                    end++;
                }

                Add(start, end, depth);
                node.Children++;
                start = end;
            }

            _nodes[at] = node;
        }

        /// <summary>A node for a range; its label goes as far as the first and the last of the range are equal.</summary>
        private void Add(int from, int to, int depth)
        {
            int shared = to == from ? 0 : Common(texts[order[from]], texts[order[to - 1]], depth);
            var node = new Node { Label = _labels.Count, LabelLength = shared, Value = None };
            if (to > from)
            {
                _labels.AddRange(texts[order[from]].AsSpan(depth, shared));
                node.Value = texts[order[from]].Length == depth + shared ? order[from] : None;
            }

            _firsts.Add(shared > 0 ? texts[order[from]][depth] : (byte)0);
            _nodes.Add(node);
            _open.Enqueue((_nodes.Count - 1, from, to, depth + shared));
        }

        private static int Common(byte[] first, byte[] last, int depth) => first.AsSpan(depth).CommonPrefixLength(last.AsSpan(depth));
    }
}
