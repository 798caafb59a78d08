using System.CommandLine;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>What every command has: the common options, cancellation, and errors that end in a message.</summary>
internal abstract class MtxCommand : Command
{
    private readonly CliConsole _console;

    protected MtxCommand(string name, string description, CliConsole console)
        : base(name, description)
    {
        _console = console;
        foreach (Option option in Common.All)
            Add(option);
        Validators.Add(result =>
        {
            if (result.GetValue(Common.QuantizeHead) && CommonOptions.WeightFormatOf(result.GetValue(Common.Weights)) == WeightFormat.AsStored)
                result.AddError("--quantize-head needs --weights int8 or int4.");
        });
        SetAction(InvokeAsync);
    }

    /// <summary>--model, --revision, --json, --threads, --kernels, --weights, --quantize-head, --strict.</summary>
    protected CommonOptions Common { get; } = new();

    /// <summary>Options that --help shows in groups below the others.</summary>
    internal virtual IEnumerable<(string Title, Option[] Options)> OptionGroups => [];

    /// <summary>How long it may take to end after Ctrl+C or SIGTERM.</summary>
    internal virtual TimeSpan TimeToEnd => TimeSpan.FromSeconds(1);

    /// <summary>Does the work.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    protected abstract Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken);

    private async Task<int> InvokeAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var context = new CommandContext(parsed, _console, Common);
        try
        {
            // On another thread, so that Ctrl+C is answered also while a kernel computes.
            Task<int> work = Task.Run(() => RunAsync(context, cancellationToken), cancellationToken);
            return await EndOf(work, cancellationToken).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // the one place where every error becomes a message and an exit code
        catch (Exception e)
#pragma warning restore CA1031
        {
            return ErrorReport.Write(e, _console, context.Json);
        }
    }

    private async Task<int> EndOf(Task<int> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAny(work, Task.Delay(TimeToEnd, CancellationToken.None)).ConfigureAwait(false);
            _ = work.ContinueWith(left => left.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            // A server that ends is done, and so is work whose last line is out.
            if (work.IsCompletedSuccessfully)
                return await work.ConfigureAwait(false);
            throw;
        }
    }
}
