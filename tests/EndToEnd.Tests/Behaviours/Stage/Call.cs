using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>A client's connection. Every read gives up after half a minute: that is for tests that fail, never for those that pass.</summary>
internal sealed class Call : IDisposable
{
    private const int Limit = 30_000;
    private const int TcpMaxSegment = 2;

    private readonly NetworkStream _stream;

    private Call(Socket socket)
    {
        Socket = socket;
        socket.NoDelay = true;
        socket.ReceiveTimeout = Limit;
        socket.SendTimeout = Limit;
        _stream = new NetworkStream(socket);
    }

    public Socket Socket { get; }

    public Stream Stream => _stream;

    public IPEndPoint Local => (IPEndPoint)Socket.LocalEndPoint!;

    /// <summary>
    /// A connection for which the kernel holds little on both sides. It gives a send buffer of megabytes to segments as long as those of
    /// loopback: a crowd that never reads would fill what the whole machine has for TCP.
    /// </summary>
    public static Call WithSmallBuffers(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, TcpMaxSegment, BitConverter.GetBytes(536));
        socket.Connect(IPAddress.Loopback, port);
        return new Call(socket);
    }

    public static Call To(int port, string address = "127.0.0.1", string? ns = null)
    {
        Socket Connect()
        {
            IPAddress to = IPAddress.Parse(address);
            var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(to, port);
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        return new Call(ns is null ? Connect() : Pod.In(ns, Connect));
    }

    /// <summary>One question on a connection of its own. Null when it was closed without an answer.</summary>
    public static string? Ask(int port, string line, string address = "127.0.0.1", string? ns = null)
    {
        try
        {
            using Call call = To(port, address, ns);
            return call.Ask(line);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return null;
        }
    }

    public void Send(string text) => _stream.Write(Encoding.Latin1.GetBytes(text));

    /// <summary>Says that nothing more comes. A peer that has reset the connection already need not hear it.</summary>
    public void EndSending()
    {
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException gone) when (gone.SocketErrorCode is SocketError.NotConnected or SocketError.ConnectionReset)
        {
            // How it ended is for who reads to tell.
        }
    }

    /// <summary>Sends a line and reads the answer.</summary>
    public string? Ask(string line)
    {
        Send(line + "\n");
        return ReadLine();
    }

    /// <summary>Speaks a version of RESP from here on; the server's words about itself are read.</summary>
    public void Hello(int version)
    {
        Ask($"HELLO {version}").ShouldBe(version == 3 ? "%7" : "*14");
        while (ReadLine().ShouldNotBeNull() != "*0")
        {
        }
    }

    /// <summary>One line without its end; null at the end of the stream.</summary>
    public string? ReadLine()
    {
        var line = new StringBuilder();
        for (int b = _stream.ReadByte(); b != '\n'; b = _stream.ReadByte())
        {
            if (b < 0)
            {
                return line.Length == 0 ? null : line.ToString();
            }

            line.Append((char)b);
        }

        return line.ToString().TrimEnd('\r');
    }

    /// <summary>So many bytes, in large pieces: a long value read byte by byte makes a slow reader.</summary>
    public string Take(int count)
    {
        var bytes = new byte[count];
        _stream.ReadExactly(bytes);
        return Encoding.Latin1.GetString(bytes);
    }

    /// <summary>All that comes until the peer closes.</summary>
    public string Rest()
    {
        using var all = new MemoryStream();
        _stream.CopyTo(all);
        return Encoding.Latin1.GetString(all.ToArray());
    }

    /// <summary>Waits until the peer ends the connection. True when it did so in order.</summary>
    public bool EndsInOrder()
    {
        try
        {
            while (_stream.ReadByte() >= 0)
            {
            }

            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Waits until the peer ends the connection, in order or by reset. False when it is still open.</summary>
    public bool Ends()
    {
        try
        {
            while (_stream.ReadByte() >= 0)
            {
            }

            return true;
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>A TLS handshake that trusts any certificate.</summary>
    public async Task<SslStream> TlsAsync(string serverName, params string[] alpn)
    {
        var tls = new SslStream(_stream, leaveInnerStreamOpen: true);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = serverName,
            ApplicationProtocols = [.. alpn.Select(name => new SslApplicationProtocol(name))],
            RemoteCertificateValidationCallback = static (_, _, _, _) => true,
        });
        return tls;
    }

    public void Dispose()
    {
        _stream.Dispose();
        Socket.Dispose();
    }
}
