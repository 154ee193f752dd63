using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Terminating;

/// <summary><c>direct_response</c>: say it and close.</summary>
internal static class Reject
{
    public static async ValueTask RunAsync(Downstream downstream, RejectTerminalSnapshot terminal)
    {
        if (terminal.Response.IsEmpty)
        {
            return;
        }

        try
        {
            await downstream.Pipe.Output.WriteAsync(terminal.Response);
            downstream.Record.BytesSent += terminal.Response.Length;
        }
        catch (SocketResetException)
        {
            downstream.Record.Fail(Reporting.ResponseFlags.DC, Reporting.EndedBy.Downstream, "downstream_reset");
        }
    }
}
