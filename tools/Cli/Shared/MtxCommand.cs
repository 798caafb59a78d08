using System.CommandLine;
using System.CommandLine.Parsing;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>What every command has: the common options, cancellation, and errors that end in a message.</summary>
internal abstract class MtxCommand : Command
{
    // What options and arguments that name files are called in --help.
    private static readonly HashSet<string> s_files = ["FILE", "DIR", "PATH", "OUT.safetensors", "SRC", "DST", "CASE_DIR", "THEIRS"];

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
            foreach (string name in result.Children.Select(EmptyName).OfType<string>())
                result.AddError($"{name} is empty; a name is needed.");
        });
        SetAction(InvokeAsync);
    }

    /// <summary>--model, --revision, --json, --threads, --kernels, --weights, --quantize-head, --strict.</summary>
    protected CommonOptions Common { get; } = new();

    /// <summary>Options that --help shows in groups below the others.</summary>
    internal virtual IEnumerable<(string Title, Option[] Options)> OptionGroups => [];

    /// <summary>Whether Ctrl+C and SIGTERM are how it ends, and no error.</summary>
    internal virtual bool EndsBySignal => false;

    /// <summary>How long it may take to end after Ctrl+C or SIGTERM.</summary>
    internal virtual TimeSpan TimeToEnd => TimeSpan.FromSeconds(1);

    /// <summary>Does the work.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    protected abstract Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken);

    /// <summary>The option or argument, if it is to name a file and names none.</summary>
    private static string? EmptyName(SymbolResult result) => result switch
    {
        OptionResult { Option: { HelpName: string kind } option } when s_files.Contains(kind) && IsEmpty(result) => option.Name,
        ArgumentResult { Argument: { } argument } when s_files.Contains(argument.Name) && IsEmpty(result) => argument.Name,
        _ => null,
    };

    private static bool IsEmpty(SymbolResult result) => result.Tokens.Any(token => token.Value.Length == 0);

    private async Task<int> InvokeAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var context = new CommandContext(parsed, _console, Common);
        try
        {
            // On another thread, so that Ctrl+C is answered also while a kernel computes.
            Task<int> work = Task.Run(() => RunAsync(context, cancellationToken), cancellationToken);
            return await EndOf(work, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (EndsBySignal && cancellationToken.IsCancellationRequested)
        {
            return ExitCodes.Ok;
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
            _ = work.Unwatched();
            // A server that ends is done, and so is work whose last line is out.
            if (work.IsCompletedSuccessfully)
                return await work.ConfigureAwait(false);
            throw;
        }
    }
}
