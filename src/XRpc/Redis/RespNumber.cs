namespace MeshL4.XRpc.Redis;

/// <summary>
/// A decimal number read byte by byte, as strict as redis-server reads lengths: an optional minus, no plus, no leading
/// zeros, nothing else. A proxy laxer or stricter than its server would disagree with it on where frames end.
/// </summary>
internal struct RespNumber
{
    private long _value;
    private byte _digits;
    private bool _negative;

    /// <summary>The number; meaningful when <see cref="IsValid"/>.</summary>
    public readonly long Value => _negative ? -_value : _value;

    /// <summary>Whether the bytes so far are a whole number.</summary>
    public readonly bool IsValid => _digits > 0 && !(_negative && _value == 0);

    /// <summary>Adds one byte; false when it cannot belong to a number of at most 18 digits.</summary>
    public bool TryAppend(byte value)
    {
        if (value == '-' && _digits == 0 && !_negative)
        {
            _negative = true;
            return true;
        }

        uint digit = (uint)value - '0';
        if (digit > 9 || _digits >= 18 || (_digits > 0 && _value == 0))
        {
            return false;
        }

        _value = (_value * 10) + digit;
        _digits++;
        return true;
    }
}
