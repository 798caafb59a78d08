using System.CommandLine;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Cli;

/// <summary>The options of generate, infill, synthesize and sample: those of <see cref="GenerationOption.All"/> in some groups, and a few of the command
/// line alone.</summary>
internal sealed class GenerationArguments
{
    private readonly GenerationArgument[] _arguments;
    private readonly Option<string?>? _draft;

    /// <param name="groups">The groups that the command takes.</param>
    /// <param name="usual">What the command has for options that are not given, where that is not the library's: name and value for people.</param>
    public GenerationArguments(GenerationOptionGroup[] groups, params (string Option, string Value)[] usual)
    {
        _arguments =
        [
            .. GenerationOption.All.Where(option => groups.Contains(option.Group)).SelectMany(option =>
                OnTheCommandLineAlone(option).Prepend(GenerationArgument.Of(option, usual.FirstOrDefault(one => one.Option == option.Name).Value))),
        ];
        if (groups.Contains(GenerationOptionGroup.Drafts))
            _draft = new("--draft") { HelpName = "DIR", Description = "A smaller checkpoint with the same tokenizer drafts tokens (assistant_model)." };
    }

    /// <summary>The options by what they are about, for --help.</summary>
    public IEnumerable<(string Title, Option[] Options)> Groups =>
    [
        .. from argument in _arguments
           group argument.Option by argument.Group into one
           orderby one.Key
           select (TitleOf(one.Key), one.Key == GenerationOptionGroup.Drafts ? [.. one, _draft!] : one.ToArray()),
    ];

    public void AddTo(Command command)
    {
        foreach (Option option in Groups.SelectMany(group => group.Options))
            command.Add(option);
        command.Validators.Add(result =>
        {
            bool Given(Option option) => result.GetResult(option) is { Implicit: false };
            bool GivenByName(string name) => _arguments.Any(one => one.Option.Name == name && Given(one.Option));
            if (GivenByName("--max-new-tokens") && GivenByName("--max-length"))
                result.AddError("--max-new-tokens and --max-length exclude each other.");
            if (GivenByName(Greedy))
            {
                IEnumerable<GenerationArgument> others = _arguments.Where(one => one.Group == GenerationOptionGroup.Sampling && one.Option.Name != Greedy);
                foreach (GenerationArgument drawn in others.Where(one => Given(one.Option)))
                    result.AddError($"{Greedy} and {drawn.Option.Name} exclude each other: the likeliest token is taken, and nothing is drawn.");
            }
            if (GivenByName("--prompt-lookup-num-tokens") && result.GetValue(_draft!) is not null)
                result.AddError("--prompt-lookup-num-tokens and --draft exclude each other: one of them drafts.");
        });
    }

    /// <summary>The checkpoint that --draft names; null where it names none.</summary>
    public TextGenerator? OpenDraft(CommandContext context) => _draft is not null && context.Get(_draft) is string directory
        ? TextGenerator.Load(ModelLocator.Resolve(directory, revision: null), context.PipelineOptions())
        : null;

    /// <summary>The options as the generator takes them. What only works where tokens are drawn at random switches that on.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="tokenizer">Makes tokens of texts; null where the checkpoint has none.</param>
    /// <param name="defaults">What the checkpoint says.</param>
    /// <param name="draft">What --draft opened.</param>
    public GenerationOptions Read(CommandContext context, Tokenizer? tokenizer, GenerationOptions defaults, TextGenerator? draft = null)
    {
        var options = new GenerationOptions { AssistantModel = draft };
        foreach (GenerationArgument argument in _arguments)
            options = argument.Set(context, tokenizer, options);
        bool draws = GenerationOption.All.Any(option => option.Group == GenerationOptionGroup.Sampling && option.IsGiven(options))
            || (options.NumReturnSequences > 1 && options.Over(defaults).NumBeams is null or 1);
        return draws && options.DoSample is null ? options with { DoSample = true } : options;
    }

    /// <summary>The same for a generator, which gets no others: what contradicts itself is refused by the names of the command line.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="generator">The generator.</param>
    /// <param name="draft">What --draft opened.</param>
    /// <param name="adapt">What the command makes of them.</param>
    /// <exception cref="UsageException">They contradict each other, or the checkpoint's own.</exception>
    public GenerationOptions Read(
        CommandContext context, TextGenerator generator, TextGenerator? draft, Func<GenerationOptions, GenerationOptions>? adapt = null)
    {
        GenerationOptions options = Read(context, generator.Tokenizer, generator.Defaults, draft);
        options = adapt?.Invoke(options) ?? options;
        try
        {
            options.Validate(generator.Defaults);
            return options;
        }
        catch (ModelInputException e)
        {
            throw new UsageException(GenerationArgument.WithNames(e.Message));
        }
    }

    /// <summary>Says what is odd about the checkpoint, on standard error.</summary>
    public static void Warn(CliConsole console, IReadOnlyList<string> warnings)
    {
        foreach (string warning in warnings)
            console.Warn(warning);
    }

    private const string Greedy = "--greedy";

    private static string TitleOf(GenerationOptionGroup group) => group switch
    {
        GenerationOptionGroup.Length => "Length and end of the text",
        GenerationOptionGroup.Sampling => $"Sampling (each of these but {Greedy} switches it on)",
        GenerationOptionGroup.Scores => "Scores of tokens",
        GenerationOptionGroup.Beams => "Beam search",
        GenerationOptionGroup.Several => "Several texts",
        GenerationOptionGroup.Drafts => "Drafts, which save time and change no text",
        GenerationOptionGroup.Cache => "Keys and values",
        GenerationOptionGroup.Report => "Beside the text",
        _ => throw new ArgumentOutOfRangeException(nameof(group), group, "This group has no title."),
    };

    /// <summary>Other ways in which a command line gives an option.</summary>
    private static IEnumerable<GenerationArgument> OnTheCommandLineAlone(GenerationOption option) => option.Name switch
    {
        "do_sample" =>
        [
            GenerationArgument.Flag(
                option.Group, Greedy, "Takes the likeliest token at every step, whatever the checkpoint or the command has as default.",
                options => options with { DoSample = false }),
        ],
        "bad_words_ids" =>
        [
            GenerationArgument.Tokenized(
                "--bad-words", "TEXT", "The same for the tokens of a text; a word after a blank has other tokens: forbid ' print' as well as 'print'.", option,
                (options, own) => options with { BadWordsIds = [.. options.BadWordsIds ?? [], .. own.BadWordsIds!] }),
        ],
        "sequence_bias" =>
        [
            GenerationArgument.Tokenized(
                "--sequence-bias", "TEXT=BIAS", "The same for the tokens of a text.", option,
                (options, own) => options with { SequenceBias = [.. options.SequenceBias ?? [], .. own.SequenceBias!] }),
        ],
        _ => [],
    };
}
