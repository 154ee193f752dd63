using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Reads <c>envoy.config.core.v3.DataSource</c>: inline text or bytes, a file, or an environment variable.</summary>
internal static class DataSourceDecoder
{
    private const int LargestFile = 1 << 20;

    /// <summary>The bytes named; empty when not set; null with an error when they cannot be had.</summary>
    public static byte[]? Decode(Core.DataSource? source, DecodeScope scope)
    {
        switch (source?.SpecifierCase ?? Core.DataSource.SpecifierOneofCase.None)
        {
            case Core.DataSource.SpecifierOneofCase.InlineString:
                return System.Text.Encoding.UTF8.GetBytes(source!.InlineString);
            case Core.DataSource.SpecifierOneofCase.InlineBytes:
                return source!.InlineBytes.ToByteArray();
            case Core.DataSource.SpecifierOneofCase.EnvironmentVariable:
                return FromEnvironment(source!.EnvironmentVariable, scope.Field("environment_variable"));
            case Core.DataSource.SpecifierOneofCase.Filename:
                return FromFile(source!.Filename, scope.Field("filename"));
            default:
                return [];
        }
    }

    private static byte[]? FromEnvironment(string name, DecodeScope scope)
    {
        if (name.Length > 0 && Environment.GetEnvironmentVariable(name) is { } value)
        {
            return System.Text.Encoding.UTF8.GetBytes(value);
        }

        scope.Error($"environment variable '{name}' is not set");
        return null;
    }

    private static byte[]? FromFile(string path, DecodeScope scope)
    {
        try
        {
            // A device or a fifo has no length and could be read for ever.
            if (new FileInfo(path).Length <= LargestFile && !File.GetAttributes(path).HasFlag(FileAttributes.Device))
            {
                return File.ReadAllBytes(path);
            }

            scope.Error($"{path} is larger than {LargestFile} bytes or not a file");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            scope.Error($"cannot read '{path}': {failure.Message}");
        }

        return null;
    }
}
