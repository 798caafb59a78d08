using ManagedTransformers.Hub;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>A bar with the bytes that have arrived, on standard error and on terminals only.</summary>
internal static class PullProgress
{
    /// <summary>Does the work under the bar.</summary>
    public static Task<T> RunAsync<T>(CliConsole console, Func<IProgress<HubProgress>?, Task<T>> work)
    {
        if (!console.ErrorIsTerminal)
            return work(null);
        return console.StyledError.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(progress =>
            {
                ProgressTask bar = progress.AddTask("asking for files");
                bar.IsIndeterminate = true;
                return work(new Bar(bar));
            });
    }

    // Not Progress<T>, which reports from another thread, and so out of order.
    private sealed class Bar(ProgressTask bar) : IProgress<HubProgress>
    {
        public void Report(HubProgress value)
        {
            bar.Description = Markup.Escape(Show.Visible(value.File));
            if (value.TotalSize is long total)
                (bar.IsIndeterminate, bar.MaxValue) = (false, Math.Max(total, 1));
            bar.Value = value.Bytes;
        }
    }
}
