using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>A server that answers every line with its name and the line, and counts who came. In any namespace.</summary>
internal sealed class Backend : IDisposable
{
    private readonly Socket _listener;
    private readonly string? _banner;
    private readonly string _name;
    private readonly List<Socket> _open = [];
    private int _calls;

    public Backend(string name, string? ns = null, int port = 0, string? banner = null, string address = "127.0.0.1")
    {
        _name = name;
        _banner = banner;
        Socket Listen()
        {
            IPAddress on = IPAddress.Parse(address);
            var socket = new Socket(on.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (on.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(new IPEndPoint(on, port));
            socket.Listen(512);
            return socket;
        }

        _listener = ns is null ? Listen() : Pod.In(ns, Listen);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Connections accepted so far.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>The peer's address of the last connection.</summary>
    public IPEndPoint? LastPeer { get; private set; }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_open)
        {
            _open.ForEach(s => s.Dispose());
        }
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                Socket call = _listener.Accept();
                LastPeer = (IPEndPoint)call.RemoteEndPoint!;
                Interlocked.Increment(ref _calls);
                lock (_open)
                {
                    _open.Add(call);
                }

                new Thread(() => Serve(call)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private void Serve(Socket call)
    {
        try
        {
            using var stream = new NetworkStream(call, ownsSocket: true);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            if (_banner is not null)
            {
                stream.Write(Encoding.Latin1.GetBytes(_banner + "\n"));
            }

            while (reader.ReadLine() is { } line)
            {
                stream.Write(Encoding.Latin1.GetBytes($"{_name} {line}\n"));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The peer left or the server ended.
        }
    }
}
