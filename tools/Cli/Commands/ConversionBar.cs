using ManagedTransformers.Models;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>Bars for writing and checking, on standard error and on terminals only.</summary>
internal static class ConversionBar
{
    /// <summary>Does the work under the bars.</summary>
    public static ConversionResult Run(CliConsole console, Func<IProgress<WriteProgress>?, ConversionResult> work)
    {
        if (!console.ErrorIsTerminal)
            return work(null);
        return console.StyledError.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new RemainingTimeColumn())
            .Start(progress =>
            {
                var bars = new Bars(progress.AddTask("writing"), progress.AddTask("checking", autoStart: false));
                return work(bars);
            });
    }

    // Not Progress<T>, which reports from another thread, and so out of order.
    private sealed class Bars(ProgressTask writing, ProgressTask checking) : IProgress<WriteProgress>
    {
        public void Report(WriteProgress value)
        {
            ProgressTask bar = value.Checking ? checking : writing;
            if (!bar.IsStarted)
                bar.StartTask();
            (bar.MaxValue, bar.Value) = (Math.Max(1, value.TotalBytes), value.Bytes);
        }
    }
}
