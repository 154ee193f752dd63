using System.Buffers;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>How far the look for clear-text HTTP came.</summary>
internal enum HttpSniff
{
    /// <summary>Could still become HTTP.</summary>
    NeedMore,

    /// <summary>Cannot become HTTP.</summary>
    NotHttp,

    /// <summary>An HTTP/1.0 request line.</summary>
    Http10,

    /// <summary>An HTTP/1.1 request line.</summary>
    Http11,

    /// <summary>The whole HTTP/2 preface.</summary>
    Http2,

    /// <summary>Reads like HTTP and passed the byte limit without its version: not let through as plain bytes.</summary>
    TooLong,
}

/// <summary>
/// Recognises HTTP by its first line. Deliberately wide: empty lines first, runs of blanks, blanks inside the target
/// and any method token are taken, because some server takes them, and a request the policy chain does not see is
/// worse than one it refuses. Remembers its place; every call gets all bytes so far.
/// </summary>
internal struct HttpPrefaceScanner(int byteBudget)
{
    /// <summary>Longest method looked for; the longest registered one has 17 letters.</summary>
    private const int MaxMethod = 32;

    private static readonly SearchValues<byte> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private enum Place { Start, Method, AfterBlank, Version, Target }

    private long _scanned;
    private Place _place;
    private int _count;

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    private static ReadOnlySpan<byte> VersionPrefix => "HTTP/1."u8;

    /// <summary>Looks at all bytes so far.</summary>
    public HttpSniff Read(in ReadOnlySequence<byte> bytes)
    {
        HttpSniff preface = MatchPreface(bytes);
        return preface == HttpSniff.NotHttp ? ScanLine(bytes) : preface;
    }

    private static HttpSniff MatchPreface(in ReadOnlySequence<byte> bytes)
    {
        Span<byte> start = stackalloc byte[Preface.Length];
        start = start[..(int)Math.Min(bytes.Length, Preface.Length)];
        bytes.Slice(0, start.Length).CopyTo(start);
        if (!Preface.StartsWith(start))
        {
            return HttpSniff.NotHttp;
        }

        return start.Length == Preface.Length ? HttpSniff.Http2 : HttpSniff.NeedMore;
    }

    private HttpSniff ScanLine(in ReadOnlySequence<byte> bytes)
    {
        foreach (ReadOnlyMemory<byte> segment in bytes.Slice(_scanned))
        {
            foreach (byte value in segment.Span)
            {
                if (_scanned >= byteBudget)
                {
                    return HttpSniff.TooLong;
                }

                HttpSniff found = Step(value);
                if (found != HttpSniff.NeedMore)
                {
                    return found;
                }

                _scanned++;
            }
        }

        return _scanned >= byteBudget ? HttpSniff.TooLong : HttpSniff.NeedMore;
    }

    private HttpSniff Step(byte value) => _place switch
    {
        Place.Start => Start(value),
        Place.Method => Method(value),
        _ => Rest(value),
    };

    private HttpSniff Start(byte value)
    {
        if (value is (byte)'\r' or (byte)'\n')
        {
            return HttpSniff.NeedMore;
        }

        _place = Place.Method;
        _count = 0;
        return Method(value);
    }

    private HttpSniff Method(byte value)
    {
        if (IsBlank(value) && _count > 0)
        {
            _place = Place.AfterBlank;
            return HttpSniff.NeedMore;
        }

        return TokenCharacters.Contains(value) && ++_count <= MaxMethod ? HttpSniff.NeedMore : HttpSniff.NotHttp;
    }

    /// <summary>After the method: a version may begin after any blank; the line's end without one is not HTTP/1.</summary>
    private HttpSniff Rest(byte value)
    {
        if (value == '\n' || (value < ' ' && value is not ((byte)'\t' or (byte)'\r')))
        {
            return HttpSniff.NotHttp;
        }

        if (IsBlank(value))
        {
            _place = Place.AfterBlank;
            return HttpSniff.NeedMore;
        }

        return Word(value);
    }

    private HttpSniff Word(byte value)
    {
        if (_place == Place.AfterBlank)
        {
            _place = Place.Version;
            _count = 0;
        }

        if (_place == Place.Version)
        {
            if (_count == VersionPrefix.Length)
            {
                return Minor(value);
            }

            _place = value == VersionPrefix[_count++] ? Place.Version : Place.Target;
        }

        return HttpSniff.NeedMore;
    }

    private HttpSniff Minor(byte value)
    {
        if (!char.IsAsciiDigit((char)value))
        {
            _place = Place.Target;
            return HttpSniff.NeedMore;
        }

        return value == '0' ? HttpSniff.Http10 : HttpSniff.Http11;
    }

    private static bool IsBlank(byte value) => value is (byte)' ' or (byte)'\t';
}
