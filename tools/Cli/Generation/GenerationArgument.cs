using System.CommandLine;
using System.Globalization;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Cli;

/// <summary>What options of generation are about; a command takes some of the groups, and --help shows one after the other.</summary>
[Flags]
internal enum ArgumentGroups
{
    /// <summary>Limits, end tokens, stop strings.</summary>
    Length = 1,

    /// <summary>Drawing at random.</summary>
    Sampling = 2,

    /// <summary>What makes tokens more or less probable.</summary>
    Scores = 4,

    /// <summary>Beam search.</summary>
    Beams = 8,

    /// <summary>Several texts for one prompt.</summary>
    Several = 16,

    /// <summary>Speculative decoding.</summary>
    Drafts = 32,

    /// <summary>How a decoder's cache is kept.</summary>
    Cache = 64,
}

/// <summary>One option of the command line, and what it sets.</summary>
/// <param name="Group">What it is about.</param>
/// <param name="Option">The option.</param>
/// <param name="Set">Gives the options with what the command line says; the tokenizer is null where the checkpoint has none.</param>
internal sealed record GenerationArgument(ArgumentGroups Group, Option Option, Func<CommandContext, Tokenizer?, GenerationOptions, GenerationOptions> Set)
{
    /// <summary>All of a text's tokens and nothing else.</summary>
    private static readonly EncodeOptions Plain = new() { AddSpecialTokens = false, Truncation = Truncation.None, Padding = Padding.None };

    /// <summary>A number; what is outside its range is told before a model is loaded.</summary>
    public static GenerationArgument Number<T>(
        ArgumentGroups group, string name, string helpName, string description, Func<GenerationOptions, T, GenerationOptions> set, params string[] aliases)
        where T : struct, IParsable<T>
    {
        var option = new Option<T?>(name, aliases) { HelpName = helpName, Description = description };
        option.Validators.Add(result =>
        {
            // A text that is no number is already an error of the parser.
            if (result.Tokens is not [{ Value: string text }] || !T.TryParse(text, CultureInfo.InvariantCulture, out T value))
                return;
            try
            {
                set(GenerationOptions.Default, value);
            }
            catch (ArgumentOutOfRangeException e)
            {
                result.AddError(Told(name, e));
            }
        });
        return new GenerationArgument(group, option, (context, _, options) => context.Get(option) is T value ? set(options, value) : options);
    }

    /// <summary>A switch.</summary>
    public static GenerationArgument Flag(ArgumentGroups group, string name, string description, Func<GenerationOptions, GenerationOptions> set)
    {
        Option<bool> option = CommonOptions.Flag(name, description);
        return new GenerationArgument(group, option, (context, _, options) => context.Get(option) ? set(options) : options);
    }

    /// <summary>A choice of words.</summary>
    public static GenerationArgument Choice(
        ArgumentGroups group, string name, string description, Func<GenerationOptions, string, GenerationOptions> set, params string[] words)
    {
        Option<string?> option = CommonOptions.Choice(name, description, words);
        return new GenerationArgument(group, option, (context, _, options) => context.Get(option) is string word ? set(options, word) : options);
    }

    /// <summary>Values of which there may be several; each is read by itself, and one that cannot be read is told before a model is loaded.</summary>
    public static GenerationArgument List<T>(
        ArgumentGroups group, string name, string helpName, string description, Func<string, T> read, Func<GenerationOptions, T[], GenerationOptions> set, params string[] aliases)
    {
        Option<string[]> option = Texts(name, helpName, description, aliases);
        option.Validators.Add(result =>
        {
            foreach (string text in result.Tokens.Select(token => token.Value))
            {
                try
                {
                    read(text);
                }
                catch (FormatException e)
                {
                    result.AddError($"{name} is \"{text}\"; {e.Message}");
                }
            }
        });
        return new GenerationArgument(group, option, (context, _, options) =>
            context.Get(option) is { Length: > 0 } texts ? set(options, [.. texts.Select(read)]) : options);
    }

    /// <summary>Texts whose tokens are meant, which only a tokenizer knows.</summary>
    /// <param name="group">What it is about.</param>
    /// <param name="name">Its name.</param>
    /// <param name="helpName">What a value is.</param>
    /// <param name="description">What it does.</param>
    /// <param name="set">Takes the texts, and what makes tokens of one.</param>
    public static GenerationArgument Tokenized(
        ArgumentGroups group, string name, string helpName, string description, Func<GenerationOptions, string[], Func<string, int[]>, GenerationOptions> set)
    {
        Option<string[]> option = Texts(name, helpName, description);
        return new GenerationArgument(group, option, (context, tokenizer, options) =>
        {
            if (context.Get(option) is not { Length: > 0 } texts)
                return options;
            if (tokenizer is null)
                throw new UsageException($"{name} takes a text, and the checkpoint has no tokenizer. Give the ids instead: {name}-ids.");
            return set(options, texts, text => tokenizer.Encode(text, pair: null, Plain).Ids is { Length: > 0 } ids
                ? ids
                : throw new UsageException($"{name} is empty; a text with at least one token is needed."));
        });
    }

    private static Option<string[]> Texts(string name, string helpName, string description, params string[] aliases) =>
        new(name, aliases) { HelpName = helpName, Description = $"{description} Repeat it for more." };

    // "Temperature is 0; … (Parameter 'Temperature')" is what the library says.
    private static string Told(string name, ArgumentOutOfRangeException e)
    {
        string message = e.Message[..e.Message.LastIndexOf(" (Parameter", StringComparison.Ordinal)];
        return name + message[e.ParamName!.Length..].Replace("set DoSample to false", "leave the sampling options out", StringComparison.Ordinal);
    }
}
