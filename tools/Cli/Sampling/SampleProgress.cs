using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>A bar with the samples that are done, on standard error and on terminals only.</summary>
internal static class SampleProgress
{
    /// <summary>Does the work under the bar.</summary>
    /// <param name="console">Where to draw.</param>
    /// <param name="total">Samples in all.</param>
    /// <param name="work">The work; it reports how many are done.</param>
    public static void Run(CliConsole console, int total, Action<Action<int>> work)
    {
        if (!console.ErrorIsTerminal)
        {
            work(_ => { });
            return;
        }
        console.StyledError.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new TaskProgressCount(), new RemainingTimeColumn())
            .Start(progress =>
            {
                ProgressTask bar = progress.AddTask("samples", maxValue: total);
                work(done => bar.Value = done);
            });
    }

    private sealed class TaskProgressCount : ProgressColumn
    {
        public override Spectre.Console.Rendering.IRenderable Render(Spectre.Console.Rendering.RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text($"{task.Value:0}/{task.MaxValue:0}");
    }
}
