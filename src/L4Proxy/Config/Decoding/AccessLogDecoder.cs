using System.Collections.Immutable;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.AccessLoggers.File.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.AccessLoggers.Stream.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using AccessLog = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Accesslog.V3.AccessLog;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Access logs to a file or a standard stream; other loggers are named in a warning and left out.</summary>
internal static class AccessLogDecoder
{
    /// <summary>Nested objects of a JSON format are flattened to dotted names down to this depth.</summary>
    private const int DeepestJson = 8;

    public static ImmutableArray<AccessLogSnapshot> Decode(RepeatedField<AccessLog> logs, DecodeScope parent, string field = "access_log")
    {
        var decoded = ImmutableArray.CreateBuilder<AccessLogSnapshot>(logs.Count);
        for (int i = 0; i < logs.Count; i++)
        {
            if (DecodeOne(logs[i], parent.Item(field, i)) is { } log)
            {
                decoded.Add(log);
            }
        }

        return decoded.ToImmutable();
    }

    private static AccessLogSnapshot? DecodeOne(AccessLog log, DecodeScope scope)
    {
        if (log.Filter is not null)
        {
            scope.Field("filter").Warn("access log filters are not supported for connections: every connection is logged");
        }

        return DecodeLogger(log, scope);
    }

    /// <summary>Where lines go to, and their form, whatever the filter before them; null where it is no log that this build writes.</summary>
    public static AccessLogSnapshot? DecodeLogger(AccessLog log, DecodeScope scope)
    {
        DecodeScope typed = scope.Field("typed_config");
        if (TypedConfig.Is<FileAccessLog>(log.TypedConfig))
        {
            return TypedConfig.Unpack<FileAccessLog>(log.TypedConfig, typed) is { } file ? DecodeFile(file, typed) : null;
        }

        if (TypedConfig.Is<StdoutAccessLog>(log.TypedConfig))
        {
            return DecodeFormat("/dev/stdout", TypedConfig.Unpack<StdoutAccessLog>(log.TypedConfig, typed)?.LogFormat, typed.Field("log_format"));
        }

        if (TypedConfig.Is<StderrAccessLog>(log.TypedConfig))
        {
            return DecodeFormat("/dev/stderr", TypedConfig.Unpack<StderrAccessLog>(log.TypedConfig, typed)?.LogFormat, typed.Field("log_format"));
        }

        scope.Warn($"access logger '{log.Name}' ({TypedConfig.TypeName(log.TypedConfig)}) is not supported and left out");
        return null;
    }

    private static AccessLogSnapshot? DecodeFile(FileAccessLog file, DecodeScope scope)
    {
        if (file.Path.Length == 0)
        {
            scope.Field("path").Error("a path is required");
            return null;
        }

        return file.AccessLogFormatCase switch
        {
            FileAccessLog.AccessLogFormatOneofCase.Format => new AccessLogSnapshot(file.Path, file.Format),
            FileAccessLog.AccessLogFormatOneofCase.JsonFormat
                => new AccessLogSnapshot(file.Path, null, Fields(file.JsonFormat, scope.Field("json_format"))),
            FileAccessLog.AccessLogFormatOneofCase.TypedJsonFormat
                => new AccessLogSnapshot(file.Path, null, Fields(file.TypedJsonFormat, scope.Field("typed_json_format")), true),
            FileAccessLog.AccessLogFormatOneofCase.LogFormat => DecodeFormat(file.Path, file.LogFormat, scope.Field("log_format")),
            _ => new AccessLogSnapshot(file.Path, null),
        };
    }

    private static AccessLogSnapshot? DecodeFormat(string path, Core.SubstitutionFormatString? format, DecodeScope scope)
    {
        switch (format?.FormatCase ?? Core.SubstitutionFormatString.FormatOneofCase.None)
        {
            case Core.SubstitutionFormatString.FormatOneofCase.TextFormat:
                return new AccessLogSnapshot(path, format!.TextFormat);
            case Core.SubstitutionFormatString.FormatOneofCase.TextFormatSource:
                byte[]? text = DataSourceDecoder.Decode(format!.TextFormatSource, scope.Field("text_format_source"));
                return text is null ? null : new AccessLogSnapshot(path, System.Text.Encoding.UTF8.GetString(text));
            case Core.SubstitutionFormatString.FormatOneofCase.JsonFormat:
                // In this message JSON is always the typed form: numbers stay numbers.
                return new AccessLogSnapshot(path, null, Fields(format!.JsonFormat, scope.Field("json_format")), true);
            default:
                return new AccessLogSnapshot(path, null);
        }
    }

    private static List<KeyValuePair<string, string>> Fields(Struct format, DecodeScope scope)
    {
        var fields = new List<KeyValuePair<string, string>>();
        var open = new Stack<(string Prefix, Struct Fields, int Depth)>();
        open.Push(("", format, 1));
        while (open.TryPop(out (string Prefix, Struct Fields, int Depth) level))
        {
            foreach ((string name, Value value) in level.Fields.Fields)
            {
                AddField(level.Prefix + name, value, level.Depth);
            }
        }

        return fields;

        void AddField(string name, Value value, int depth)
        {
            switch (value.KindCase)
            {
                case Value.KindOneofCase.StringValue:
                    fields.Add(new(name, value.StringValue));
                    break;
                case Value.KindOneofCase.StructValue when depth < DeepestJson:
                    open.Push((name + ".", value.StructValue, depth + 1));
                    break;
                default:
                    scope.Field(name).Error("a JSON log field is a format text or an object of them");
                    break;
            }
        }
    }
}
