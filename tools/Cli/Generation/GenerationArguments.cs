using System.CommandLine;
using ManagedTransformers.Kernels;
using ManagedTransformers.Tokenizers;
using static ManagedTransformers.Cli.GenerationArgument;

namespace ManagedTransformers.Cli;

/// <summary>The options of generate, infill, synthesize and sample; names are transformers', with dashes.</summary>
internal sealed class GenerationArguments
{
    private const double MostSeconds = 1e9;
    private readonly GenerationArgument[] _arguments;
    private readonly Option<string?> _draft = new("--draft") { HelpName = "DIR", Description = "Speculative decoding: a smaller checkpoint with the same tokenizer drafts tokens (assistant_model). The text stays the same." };
    private readonly ArgumentGroups _groups;

    public GenerationArguments(ArgumentGroups groups)
    {
        _groups = groups;
        _arguments = [.. Length().Concat(Sampling()).Concat(Scores()).Concat(Beams()).Concat(Cache()).Where(one => groups.HasFlag(one.Group))];
    }

    /// <summary>The options by what they are about, for --help.</summary>
    public IEnumerable<(string Title, Option[] Options)> Groups =>
    [
        .. from argument in _arguments
           group argument.Option by argument.Group into one
           orderby one.Key
           select (TitleOf(one.Key), TakesDrafts && one.Key == ArgumentGroups.Drafts ? [.. one, _draft] : one.ToArray()),
    ];

    private bool TakesDrafts => _groups.HasFlag(ArgumentGroups.Drafts);

    public void AddTo(Command command)
    {
        foreach (Option option in Groups.SelectMany(group => group.Options))
            command.Add(option);
        command.Validators.Add(result =>
        {
            bool Given(string name) => _arguments.Any(one => one.Option.Name == name && result.GetResult(one.Option) is { Implicit: false });
            void Exclude(string one, string other, string why)
            {
                if (Given(one) && Given(other))
                    result.AddError($"{one} and {other} exclude each other{why}.");
            }
            Exclude("--max-new-tokens", "--max-length", "");
            foreach (string drawn in Drawn)
                Exclude("--greedy", drawn, ": the likeliest token is taken, and nothing is drawn");
            if (Given("--prompt-lookup-num-tokens") && result.GetValue(_draft) is not null)
                result.AddError("--prompt-lookup-num-tokens and --draft exclude each other: one of them drafts.");
        });
    }

    /// <summary>The checkpoint that --draft names; null where it names none.</summary>
    public TextGenerator? OpenDraft(CommandContext context) =>
        TakesDrafts && context.Get(_draft) is string directory ? TextGenerator.Load(ModelLocator.Resolve(directory, revision: null), context.PipelineOptions()) : null;

    /// <summary>The options as the generator takes them. What only works where tokens are drawn at random switches that on.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="tokenizer">Makes tokens of texts; null where the checkpoint has none.</param>
    /// <param name="defaults">What the checkpoint says.</param>
    /// <param name="draft">What --draft opened.</param>
    public GenerationOptions Read(CommandContext context, Tokenizer? tokenizer, GenerationOptions defaults, TextGenerator? draft = null)
    {
        GenerationOptions options = new GenerationOptions { AssistantModel = draft };
        foreach (GenerationArgument argument in _arguments)
            options = argument.Set(context, tokenizer, options);
        bool draws = options is not { Temperature: null, TopK: null, TopP: null, MinP: null, TypicalP: null, EpsilonCutoff: null, EtaCutoff: null, Seed: null }
            || (options.NumReturnSequences > 1 && options.Over(defaults).NumBeams is null or 1);
        return draws && options.DoSample is null ? options with { DoSample = true } : options;
    }

    /// <summary>The same for a generator.</summary>
    public GenerationOptions Read(CommandContext context, TextGenerator generator, TextGenerator? draft) => Read(context, generator.Tokenizer, generator.Defaults, draft);

    /// <summary>Says what is odd about the checkpoint, on standard error.</summary>
    public static void Warn(CliConsole console, TextGenerator generator)
    {
        foreach (string warning in generator.Warnings)
            console.Warn(warning);
    }

    private static readonly string[] Drawn =
        ["--do-sample", "--temperature", "--top-k", "--top-p", "--min-p", "--typical-p", "--epsilon-cutoff", "--eta-cutoff", "--seed"];

    private static string TitleOf(ArgumentGroups group) => group switch
    {
        ArgumentGroups.Length => "Length and end of the text",
        ArgumentGroups.Sampling => "Sampling (each of these but --greedy switches it on)",
        ArgumentGroups.Scores => "Scores of tokens",
        ArgumentGroups.Beams => "Beam search",
        ArgumentGroups.Several => "Several texts",
        ArgumentGroups.Cache => "Keys and values",
        _ => "Drafts, which save time and change no text",
    };

    private static IEnumerable<GenerationArgument> Length()
    {
        const ArgumentGroups group = ArgumentGroups.Length;
        yield return Number<int>(group, "--max-new-tokens", "N", "Most tokens to generate. Default: as generation_config.json says, else 64.", (o, n) => o with { MaxNewTokens = n });
        yield return Number<int>(group, "--max-length", "N", "Most tokens, those of the prompt included; instead of --max-new-tokens.", (o, n) => o with { MaxLength = n });
        yield return Number<int>(group, "--min-new-tokens", "N", "No end token before so many new tokens.", (o, n) => o with { MinNewTokens = n });
        yield return Number<int>(group, "--min-length", "N", "No end token before so many tokens, those of the prompt included.", (o, n) => o with { MinLength = n });
        yield return Number<double>(group, "--max-time", "SECONDS", "No further token after so much time.", (o, n) => o with { MaxTime = Seconds(n) });
        yield return List(group, "--stop-strings", "TEXT", "End the text before this string.", text => text.Length > 0 ? text : throw new FormatException("at least one character is needed."), (o, texts) => o with { StopStrings = texts }, "--stop");
        yield return List(group, "--eos-token-id", "ID[,ID…]", "Tokens that end a text, instead of the checkpoint's; none: no token does.", TokenLists.IdsOrNone, (o, ids) => o with { EosTokenId = [.. ids.SelectMany(one => one)] });
        yield return Number<int>(group, "--pad-token-id", "ID", "What fills the shorter sequences of --requests. Default: the first end token.", (o, n) => o with { PadTokenId = n });
        yield return List(group, "--truncate-before-pattern", "REGEX", "Cut before the first match, and before a second top-level print or def.", text => text, (o, patterns) => o with { TruncateBeforePattern = patterns });
        yield return Flag(group, "--truncate-prompt", "Drop the beginning of a prompt that leaves no room, instead of refusing it.", o => o with { TruncatePrompt = true });
    }

    private static IEnumerable<GenerationArgument> Sampling()
    {
        const ArgumentGroups group = ArgumentGroups.Sampling;
        yield return Flag(group, "--do-sample", "Draw each token at random by its probability.", o => o with { DoSample = true });
        yield return Flag(group, "--greedy", "Take the likeliest token at every step, whatever the checkpoint or the command has as default.", o => o with { DoSample = false });
        yield return Number<double>(group, "--temperature", "X", "Divide the scores by this: below 1 likely tokens become likelier.", (o, x) => o with { Temperature = x });
        yield return Number<int>(group, "--top-k", "N", "Draw from so many likeliest tokens; 0: from all. Default: 50.", (o, n) => o with { TopK = n });
        yield return Number<double>(group, "--top-p", "P", "Draw from the fewest likeliest tokens with this probability together.", (o, p) => o with { TopP = p });
        yield return Number<double>(group, "--min-p", "P", "Draw from tokens with this share of the likeliest one's probability.", (o, p) => o with { MinP = p });
        yield return Number<double>(group, "--typical-p", "P", "Draw from the most typical tokens with this probability together.", (o, p) => o with { TypicalP = p });
        yield return Number<double>(group, "--epsilon-cutoff", "P", "Draw from tokens of at least this probability.", (o, p) => o with { EpsilonCutoff = p });
        yield return Number<double>(group, "--eta-cutoff", "P", "The same with a bound that falls with the entropy.", (o, p) => o with { EtaCutoff = p });
        yield return Number<long>(group, "--seed", "N", "The same seed gives the same text.", (o, n) => o with { Seed = n });
    }

    private static IEnumerable<GenerationArgument> Scores()
    {
        const ArgumentGroups group = ArgumentGroups.Scores;
        yield return Number<double>(group, "--repetition-penalty", "X", "Above 1: tokens of the text become less likely.", (o, x) => o with { RepetitionPenalty = x });
        yield return Number<int>(group, "--no-repeat-ngram-size", "N", "No sequence of so many tokens twice.", (o, n) => o with { NoRepeatNgramSize = n });
        yield return Tokenized(group, "--bad-words", "TEXT", "Never generate the tokens of this text; a word after a blank has other tokens.", (o, texts, tokens) => o with { BadWordsIds = [.. o.BadWordsIds ?? [], .. texts.Select(tokens)] });
        yield return List(group, "--bad-words-ids", "ID[,ID…]", "Never generate these tokens in a row.", TokenLists.Ids, (o, words) => o with { BadWordsIds = [.. o.BadWordsIds ?? [], .. words] });
        yield return Tokenized(group, "--sequence-bias", "TEXT=BIAS", "Add this to the score of the text's last token where the others stand before it.", (o, texts, tokens) => o with { SequenceBias = [.. o.SequenceBias ?? [], .. texts.Select(text => Bias(text, tokens))] });
        yield return List(group, "--sequence-bias-ids", "ID[,ID…]=BIAS", "The same for tokens.", TokenLists.IdsWithBias, (o, biases) => o with { SequenceBias = [.. o.SequenceBias ?? [], .. biases] });
        yield return List(group, "--suppress-tokens", "ID[,ID…]", "Never generate these tokens.", TokenLists.Ids, (o, ids) => o with { SuppressTokens = [.. ids.SelectMany(one => one)] });
        yield return List(group, "--begin-suppress-tokens", "ID[,ID…]", "Do not begin with these tokens.", TokenLists.Ids, (o, ids) => o with { BeginSuppressTokens = [.. ids.SelectMany(one => one)] });
        yield return List(group, "--forced-eos-token-id", "ID[,ID…]", "End a text of the greatest length with one of these tokens.", TokenLists.Ids, (o, ids) => o with { ForcedEosTokenId = [.. ids.SelectMany(one => one)] });
        yield return Flag(group, "--renormalize-logits", "Make the scores log probabilities again before drawing.", o => o with { RenormalizeLogits = true });
    }

    private static IEnumerable<GenerationArgument> Beams()
    {
        yield return Number<int>(ArgumentGroups.Beams, "--num-beams", "N", "Keep so many continuations at every step.", (o, n) => o with { NumBeams = n });
        yield return Number<double>(ArgumentGroups.Beams, "--length-penalty", "X", "Above 0 prefers longer beams, below 0 shorter ones. Default: 1.", (o, x) => o with { LengthPenalty = x });
        yield return Choice(ArgumentGroups.Beams, "--early-stopping", "When beam search ends: with enough finished texts, when better ones are unlikely, or impossible. Default: false.", (o, word) => o with { EarlyStopping = Enum.Parse<EarlyStopping>(word, ignoreCase: true) }, "true", "false", "never");
        yield return Number<int>(ArgumentGroups.Several, "--num-return-sequences", "N", "Write so many texts: the best beams, or without beams different draws (which switches sampling on).", (o, n) => o with { NumReturnSequences = n }, "--n");
        yield return Number<int>(ArgumentGroups.Drafts, "--prompt-lookup-num-tokens", "K", "Speculative decoding: copy so many tokens from where the last ones stood before, and check them in one pass.", (o, n) => o with { PromptLookupNumTokens = n }, "--prompt-lookup");
        yield return Number<int>(ArgumentGroups.Drafts, "--max-matching-ngram-size", "N", "How many last tokens that looks for, at most. Default: 2.", (o, n) => o with { MaxMatchingNgramSize = n });
    }

    private static IEnumerable<GenerationArgument> Cache()
    {
        yield return Choice(ArgumentGroups.Cache, "--key-value-type", "How keys and values of what was read are kept: f16 and bf16 take half the memory, are faster behind long texts, and round. Default: f32.", (o, word) => o with { KeyValueType = Enum.Parse<WeightType>(word, ignoreCase: true) }, "f32", "f16", "bf16");
    }

    private static TimeSpan Seconds(double maxTime) => maxTime is > 0 and < MostSeconds
        ? TimeSpan.FromSeconds(maxTime)
        : throw new ArgumentOutOfRangeException(nameof(maxTime), $"{nameof(maxTime)} is {maxTime}; a number of seconds above 0 and below a billion is needed.");

    private static SequenceBias Bias(string text, Func<string, int[]> tokens)
    {
        try
        {
            (string sequence, float bias) = TokenLists.Biased(text);
            return new SequenceBias(tokens(sequence), bias);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--sequence-bias is \"{text}\"; {e.Message}");
        }
    }
}
