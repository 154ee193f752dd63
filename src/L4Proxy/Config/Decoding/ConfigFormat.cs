namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>How a configuration is written down.</summary>
internal enum ConfigFormat { Yaml, Json, Binary }

/// <summary>Where a configuration comes from; decides how strict the reader is.</summary>
internal enum ConfigSourceKind
{
    /// <summary>The bootstrap: fields unknown to the API are errors, and the whole is taken or refused.</summary>
    Bootstrap,

    /// <summary>A <c>path_config_source</c> file: unknown fields are errors, resource by resource.</summary>
    File,

    /// <summary>A stream: unknown fields are warnings, for servers are newer than proxies.</summary>
    Xds,
}
