using System.CommandLine;

namespace ManagedTransformers.Cli;

/// <summary>The options of generate, infill, synthesize and sample; names are transformers', with dashes.</summary>
internal sealed class GenerationArguments
{
    private readonly Option<int?> _maxNewTokens = CommonOptions.Bounded("--max-new-tokens", "N", "Most tokens to generate. Default: as generation_config.json says, else 64.", 1);
    private readonly Option<int?> _maxLength = CommonOptions.Bounded("--max-length", "N", "Most tokens, those of the prompt included; instead of --max-new-tokens.", 1);
    private readonly Option<string[]> _truncateBefore = new("--truncate-before-pattern") { HelpName = "REGEX", Description = "Cut before the first match, and before a second top-level print or def; repeat the option for more." };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _maxNewTokens, _maxLength, _truncateBefore })
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_maxNewTokens) is not null && result.GetValue(_maxLength) is not null)
                result.AddError("--max-new-tokens and --max-length exclude each other.");
        });
    }

    /// <summary>The options as the generator takes them.</summary>
    public GenerationOptions Read(CommandContext context) => new()
    {
        MaxNewTokens = context.Get(_maxNewTokens),
        MaxLength = context.Get(_maxLength),
        TruncateBeforePattern = context.Get(_truncateBefore) is { Length: > 0 } patterns ? patterns : null,
    };

    /// <summary>Says what is odd about the checkpoint, on standard error.</summary>
    public static void Warn(CliConsole console, TextGenerator generator)
    {
        foreach (string warning in generator.Warnings)
            console.Error.WriteLine($"mtx: warning: {warning}");
    }
}
