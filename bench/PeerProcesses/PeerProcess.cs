using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Bench;

/// <summary>A peer in a process of its own that answers one line with one line (bench/peers/serve.mjs).</summary>
internal sealed class PeerProcess : ITimed, IDisposable
{
    // Peers' threads spin for a while after their work; ours must not be timed against them.
    private static readonly TimeSpan s_quietWindow = TimeSpan.FromMilliseconds(40);
    private const int MaxQuietWindows = 25;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    private PeerProcess(Process process) => Process = process;

    public Process Process { get; }

    /// <summary>Starts a script with node, and waits until it has loaded its model.</summary>
    /// <exception cref="PeerException">node is missing, or the script fails.</exception>
    public static PeerProcess Start(string script, string model, int threads, string packages)
    {
        var start = new ProcessStartInfo("node", [script, model, $"{threads}"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        start.Environment["BENCH_PEERS"] = packages;
        try
        {
            var peer = new PeerProcess(Process.Start(start)!);
            peer.ReadAnswer();
            return peer;
        }
        catch (Win32Exception e)
        {
            throw new PeerException("node cannot be started; the peers run on it. Install Node.js 20 or later.", e);
        }
    }

    /// <summary>Says a line and waits for the answer.</summary>
    /// <exception cref="PeerException">The peer fails.</exception>
    public string Ask(string line)
    {
        Process.StandardInput.WriteLine(line);
        Process.StandardInput.Flush();
        return ReadAnswer();
    }

    /// <summary>One run; the milliseconds are the peer's own, so that the conversation does not count.</summary>
    public double RunOnce() => double.Parse(Ask("run"), CultureInfo.InvariantCulture);

    /// <summary>The float32 numbers of the peer's output.</summary>
    public float[] Output(string path)
    {
        Ask($"output {path}");
        return MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();
    }

    /// <summary>Waits until the peer's threads have stopped spinning, a second at most.</summary>
    public void WaitUntilQuiet()
    {
        for (int i = 0; i < MaxQuietWindows; i++)
        {
            TimeSpan before = CpuTime();
            Thread.Sleep(s_quietWindow);
            if (CpuTime() == before)
                return;
        }
    }

    public void Dispose()
    {
        if (!Process.HasExited)
            Process.Kill();
        Process.Dispose();
    }

    private TimeSpan CpuTime()
    {
        Process.Refresh();
        return Process.TotalProcessorTime;
    }

    private string ReadAnswer()
    {
        Task<string?> reading = Process.StandardOutput.ReadLineAsync();
        if (!reading.Wait(s_patience))
            throw new PeerException($"The peer did not answer within {s_patience.TotalMinutes} minutes.");
        string answer = reading.Result ?? throw new PeerException("The peer ended without an answer; its messages are above.");
        return answer.StartsWith("error", StringComparison.Ordinal) ? throw new PeerException(answer) : answer;
    }
}
