using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>Makes a Redis conversation as the configuration says.</summary>
internal static class RedisConversations
{
    public static Conversation<RespCodec> Create(XRpcProxySnapshot proxy) => new RedisConversation(new RedisConversationOptions
    {
        Username = proxy.Authentication?.Username ?? default,
        Passwords = proxy.Authentication?.Passwords ?? [],
        Upstream = proxy.Upstream.Credentials is { } login ? new RedisLogin(login.Username, login.Password) { IsDefault = true } : null,
        CustomCommands = proxy.Redis?.CustomCommands ?? [],
    });
}
