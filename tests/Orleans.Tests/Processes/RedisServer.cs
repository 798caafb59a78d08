using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>A redis-server of its own that keeps nothing.</summary>
internal sealed class RedisServer : IDisposable
{
    private readonly Process _process;

    public RedisServer(IPAddress address)
    {
        (Address, Port) = (address, Ports.Free(address));
        ProcessStartInfo start = new("redis-server", [
            "--bind", address.ToString(), "--port", $"{Port}", "--save", "", "--appendonly", "no", "--protected-mode", "no", "--dir", Path.GetTempPath(),
        ]) { RedirectStandardOutput = true, UseShellExecute = false };
        _process = Process.Start(start)!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        while (!Answers() && !_process.HasExited)
            Thread.Sleep(10);
        Assert.That(_process.HasExited, Is.False, "redis-server runs");
    }

    public IPAddress Address { get; }
    public int Port { get; }

    /// <summary>What silos and clients connect to. They wait for it where it is not there yet.</summary>
    public string ConnectionString => $"{Address}:{Port},abortConnect=false,connectTimeout=2000,syncTimeout=2000,asyncTimeout=2000";

    /// <summary>Skips a test where there is none.</summary>
    public static void Require()
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "redis-server"))))
            Assert.Ignore("redis-server is not installed (apt-get install redis-server).");
    }

    public void Signal(string name) => SiloProcess.Signal(_process, name);

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private bool Answers()
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(Address, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
