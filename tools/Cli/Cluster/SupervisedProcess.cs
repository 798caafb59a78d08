using System.Diagnostics;

namespace ManagedTransformers.Cli;

/// <summary>A program that runs for as long as it is wanted: it is started again when it ends, and its lines are written under its name.</summary>
internal sealed class SupervisedProcess(string name, IReadOnlyList<string> command, TimeSpan timeToEnd, Action<string> write)
{
    // One that ends at once, such as for a port that is taken, is tried less and less often.
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1), s_longestPause = TimeSpan.FromSeconds(30), s_settled = TimeSpan.FromSeconds(30);

    private readonly TaskCompletionSource _spoke = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>It has written a line to its standard output.</summary>
    public Task Spoke => _spoke.Task;

    /// <summary>The last line of its standard error; null: there was none.</summary>
    public string? LastError { get; private set; }

    /// <summary>Runs it until the token is cancelled, and then until it has ended.</summary>
    /// <returns>0, or the exit code 2 of a program that does not understand its command line, which is not started again.</returns>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = s_firstPause;
        while (!cancellationToken.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            int code = await RunOnceAsync(cancellationToken).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
                break;
            if (code == ExitCodes.Usage)
                return code;
            if (Stopwatch.GetElapsedTime(start) > s_settled)
                pause = s_firstPause;
            write($"{name} | ended with exit code {code}, and is started again in {pause.TotalSeconds:0} s");
            await Task.Delay(pause, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
        return ExitCodes.Ok;
    }

    private async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        using Process process = Process.Start(start)!;
        Task lines = Task.WhenAll(WriteAsync(process.StandardOutput, _spoke), WriteAsync(process.StandardError, null));
        try
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process).ConfigureAwait(false);
        }
        await lines.ConfigureAwait(false);
        return process.ExitCode;
    }

    private async Task EndAsync(Process process)
    {
        if (!SystemCalls.Terminate(process))
            process.Kill();
        using var guard = new CancellationTokenSource(timeToEnd);
        await process.WaitForExitAsync(guard.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited)
            process.Kill();
        await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private async Task WriteAsync(StreamReader lines, TaskCompletionSource? spoke)
    {
        while (await lines.ReadLineAsync().ConfigureAwait(false) is string line)
        {
            write($"{name} | {line}");
            if (spoke is null)
                LastError = line;
            spoke?.TrySetResult();
        }
    }
}
