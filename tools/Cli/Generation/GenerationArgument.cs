using System.CommandLine;
using System.Text.RegularExpressions;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Cli;

/// <summary>One option of the command line, and what it sets.</summary>
/// <param name="Group">What it is about.</param>
/// <param name="Option">The option.</param>
/// <param name="Set">Gives the options with what the command line says; the tokenizer is null where the checkpoint has none.</param>
internal sealed partial record GenerationArgument(
    GenerationOptionGroup Group, Option Option, Func<CommandContext, Tokenizer?, GenerationOptions, GenerationOptions> Set)
{
    // Where the command line says it in another way than with transformers' name.
    private static readonly Dictionary<string, string[]> s_names = new(StringComparer.Ordinal)
    {
        ["stop_strings"] = ["--stop-strings", "--stop"],
        ["num_return_sequences"] = ["--num-return-sequences", "--n"],
        ["prompt_lookup_num_tokens"] = ["--prompt-lookup-num-tokens", "--prompt-lookup"],
        ["sequence_bias"] = ["--sequence-bias-ids"],
        ["truncation"] = ["--truncate"],
        ["top_log_probabilities"] = ["--logprobs"],
    };

    /// <summary>An option of the library under transformers' name, with dashes. A value that it does not take is reported before a model is loaded.</summary>
    /// <param name="option">The option.</param>
    /// <param name="usual">What holds where it is not given; null: what the library says.</param>
    public static GenerationArgument Of(GenerationOption option, string? usual = null)
    {
        string[] names = NamesOf(option.Name);
        string help = Described(option, usual);
        if (option.ValueName is null)
        {
            Option<bool> flag = CommonOptions.Flag(names[0], help);
            return new GenerationArgument(option.Group, flag, (context, _, options) => context.Get(flag) ? option.Parse(options, "true") : options);
        }
        if (option.Repeats)
        {
            var texts = new Option<string[]>(names[0], names[1..]) { HelpName = option.ValueName, Description = help };
            RequireEach(texts, option);
            return new GenerationArgument(
                option.Group, texts, (context, _, options) => context.Get(texts) is { Length: > 0 } given ? option.Parse(options, given) : options);
        }
        var text = new Option<string?>(names[0], names[1..]) { HelpName = option.ValueName, Description = help };
        if (option.Choices.Count > 0)
            text.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, [.. option.Choices]);
        else
            RequireEach(text, option);
        return new GenerationArgument(option.Group, text, (context, _, options) => context.Get(text) is string given ? option.Parse(options, given) : options);
    }

    /// <summary>A switch of the command line alone.</summary>
    public static GenerationArgument Flag(GenerationOptionGroup group, string name, string help, Func<GenerationOptions, GenerationOptions> set)
    {
        Option<bool> flag = CommonOptions.Flag(name, help);
        return new GenerationArgument(group, flag, (context, _, options) => context.Get(flag) ? set(options) : options);
    }

    /// <summary>Texts whose tokens are meant, which only a tokenizer knows; they come to what an option of tokens already has.</summary>
    /// <param name="name">The name.</param>
    /// <param name="valueName">What a value is; where it ends in =BIAS, so does the option's.</param>
    /// <param name="help">What it does.</param>
    /// <param name="option">The option of tokens.</param>
    /// <param name="add">Adds the second options' value to that of the first.</param>
    public static GenerationArgument Tokenized(
        string name, string valueName, string help, GenerationOption option, Func<GenerationOptions, GenerationOptions, GenerationOptions> add)
    {
        var texts = new Option<string[]>(name) { HelpName = valueName, Description = $"{help} Repeat it for more." };
        return new GenerationArgument(option.Group, texts, (context, tokenizer, options) =>
        {
            if (context.Get(texts) is not { Length: > 0 } given)
                return options;
            if (tokenizer is null)
                throw new UsageException($"{name} takes a text, and the checkpoint has no tokenizer. Give the ids instead: {name}-ids.");
            bool biased = valueName.EndsWith("=BIAS", StringComparison.Ordinal);
            try
            {
                return add(options, option.Parse(GenerationOptions.Default, [.. given.Select(text => IdsOf(text, biased, tokenizer))]));
            }
            catch (FormatException e)
            {
                throw new UsageException($"{name} is \"{string.Join("\", \"", given)}\"; {e.Message}");
            }
        });
    }

    /// <summary>What the command line calls an option; the first name is the one that messages say.</summary>
    public static string[] NamesOf(string option) => s_names.TryGetValue(option, out string[]? names) ? names : [$"--{option.Replace('_', '-')}"];

    /// <summary>What an option does, with the command line's names for others.</summary>
    public static string Described(GenerationOption option, string? usual)
    {
        string text = Names().Replace(option.Help, name => GenerationOption.All.Any(one => one.Name == name.Value) ? NamesOf(name.Value)[0] : name.Value);
        usual ??= option.Default;
        return text + (option.Repeats ? " Repeat it for more." : "") + (usual.Length > 0 ? $" Default: {usual}." : "");
    }

    /// <summary>A message of the library about its options, with other names for them: those of the command line, or of a request.</summary>
    public static string WithNames(string message, Func<GenerationOption, string> nameOf) => Words().Replace(message, word =>
        word.Value == nameof(GenerationOptions.AssistantModel) ? "--draft"
        : GenerationOption.All.FirstOrDefault(one => one.Property == word.Value) is { } option ? nameOf(option) : word.Value);

    /// <summary>The same with the names of the command line.</summary>
    public static string WithNames(string message) => WithNames(message, option => NamesOf(option.Name)[0]);

    private static void RequireEach(Option argument, GenerationOption option) => argument.Validators.Add(result =>
    {
        foreach (string text in result.Tokens.Select(token => token.Value))
        {
            try
            {
                option.Parse(GenerationOptions.Default, text);
            }
            catch (FormatException e)
            {
                result.AddError($"{argument.Name} is \"{text}\"; {e.Message}");
            }
        }
    });

    private static string IdsOf(string text, bool biased, Tokenizer tokenizer)
    {
        int end = biased ? text.LastIndexOf('=') : text.Length;
        int[] ids = end > 0 ? tokenizer.EncodeToIds(text[..end], pair: null, EncodeOptions.Plain) : [];
        return ids.Length > 0
            ? string.Join(',', ids) + text[end..]
            : throw new FormatException($"a text with at least one token is needed{(biased ? ", an equals sign and a number" : "")}.");
    }

    [GeneratedRegex(@"(?<![.\w])[A-Z][A-Za-z]+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Words();

    [GeneratedRegex("[a-z]+(_[a-z]+)+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Names();
}
