using System.Globalization;
using System.Text;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Where in a message we are; a chain towards the root, made text only for an issue.</summary>
internal sealed class FieldPath
{
    public static readonly FieldPath Root = new(null, "", -1);

    private readonly FieldPath? _parent;
    private readonly string _name;
    private readonly int _index;

    private FieldPath(FieldPath? parent, string name, int index) => (_parent, _name, _index) = (parent, name, index);

    /// <summary><c>.name</c></summary>
    public FieldPath Field(string name) => new(this, name, -1);

    /// <summary><c>.name[index]</c>, in one step.</summary>
    public FieldPath Item(string name, int index) => new(this, name, index);

    /// <summary><c>[index]</c></summary>
    public FieldPath Index(int index) => new(this, "", index);

    /// <summary><c>[key]</c> of a map.</summary>
    public FieldPath Key(string key) => new(this, $"[{key}]", -1);

    public override string ToString()
    {
        Stack<FieldPath> steps = new();
        for (FieldPath step = this; step._parent is not null; step = step._parent)
            steps.Push(step);
        StringBuilder text = new();
        foreach (FieldPath step in steps)
            Append(text, step);
        return text.ToString();
    }

    private static void Append(StringBuilder text, FieldPath step)
    {
        if (step._name.Length > 0)
            text.Append(text.Length > 0 && step._name[0] != '[' ? "." : "").Append(step._name);
        if (step._index >= 0)
            text.Append(CultureInfo.InvariantCulture, $"[{step._index}]");
    }
}
