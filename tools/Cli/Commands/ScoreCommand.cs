using System.CommandLine;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Cli;

/// <summary>mtx score: how likely texts are to a causal language model.</summary>
internal sealed class ScoreCommand : MtxCommand
{
    private readonly Argument<string[]> _texts = new("TEXT")
    {
        Arity = ArgumentArity.ZeroOrMore, Description = "The text; several are ranked as continuations of --context; '-' reads one from standard input.",
    };
    private readonly Option<string?> _file = new("--file") { HelpName = "FILE", Description = "Score this file's text, of any length, instead of TEXT." };
    private readonly Option<string?> _context = new("--context") { HelpName = "TEXT", Description = "What stands before the text; it is read and not scored." };
    private readonly Option<bool> _tokens = CommonOptions.Flag("--tokens", "Show every token with its log probability and rank.");
    private readonly Option<int?> _topK = CommonOptions.Bounded("--top-k", "N", "Show every token with the N likeliest of its place.", 1);
    private readonly Option<int?> _window = CommonOptions.Bounded("--window", "N", "Most tokens that the model reads at once. Default: all it can.", 2);
    private readonly Option<int?> _stride =
        CommonOptions.Bounded("--stride", "N", "How many tokens a window begins after the one before. Default: half a window.", 1);
    private readonly Option<bool> _noBeginOfText =
        CommonOptions.Flag("--no-begin-of-text", "Put no beginning-of-text token before the text or context; a text's first token is then not scored.");
    private readonly CorpusArguments _corpus = new();

    public ScoreCommand(CliConsole console)
        : base("score", "Calculate the likelihood of a text", console)
    {
        _topK.Aliases.Add("--top");
        Add(_texts);
        foreach (Option option in new Option[] { _file, _context, _tokens, _topK, _window, _stride, _noBeginOfText })
            Add(option);
        _corpus.AddTo(this, _texts, _file, _tokens, _topK);
        Validators.Add(result =>
        {
            int texts = result.GetValue(_texts)?.Length ?? 0;
            if (texts > 0 && result.GetValue(_file) is not null)
                result.AddError("TEXT and --file exclude each other.");
            if (texts > 1 && result.GetValue(_context) is null)
                result.AddError($"{texts} texts were given, which are ranked as continuations of one context: --context TEXT is needed.");
            if (texts > 1 && (result.GetValue(_tokens) || result.GetValue(_topK) is not null))
                result.AddError("--tokens and --top-k show one text; give it alone.");
            if (result.GetValue(_stride) > result.GetValue(_window))
                result.AddError($"--stride is {result.GetValue(_stride)} and --window {result.GetValue(_window)}; the stride is at most the window.");
        });
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _corpus.Groups;

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string? file = context.Get(_file), before = context.Get(_context) is string given ? context.Text(given) : null;
        var options = new ScoringOptions
        {
            AddBeginOfText = !context.Get(_noBeginOfText),
            Window = context.Get(_window),
            Stride = context.Get(_stride),
            OutputTokens = context.Get(_tokens) || context.Get(_topK) is not null,
            TopK = context.Get(_topK) ?? 0,
        };
        if (_corpus.IsForCluster(context))
            return _corpus.RunOnClusterAsync(context, ModelLocator.Generator, options, before, cancellationToken);
        using TextScorer scorer = TextScorer.Load(context.ModelDirectory(ModelLocator.Generator), _corpus.PipelineOptions(context));
        if (_corpus.IsGiven(context))
            return Task.FromResult(_corpus.Run(context, CorpusTask.Score(scorer, options, before), cancellationToken));
        string[] texts = file is null ? [.. context.Get(_texts)!.Select(context.Text)] : [Utf8Input.Require(File.ReadAllText(file, Utf8Input.Encoding), file)];
        IReadOnlyList<ContinuationScore> scores = Score(scorer, before, texts, options, context.Console, cancellationToken);

        var result = new ScoreResult(before, [.. scores.Select(one => ScoredText.Of(one, file, options))]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.ScoreResult))
            ScoreView.Write(context.Console, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static IReadOnlyList<ContinuationScore> Score(
        TextScorer scorer, string? before, string[] texts, ScoringOptions options, CliConsole console, CancellationToken cancellationToken)
    {
        var progress = new ScoringBar(console);
        try
        {
            return before is null
                ? [new ContinuationScore(0, texts[0], scorer.Score(texts[0], options, progress, cancellationToken))]
                : scorer.Rank(before, texts, options, progress, cancellationToken);
        }
        finally
        {
            console.ShowProgress("");
        }
    }
}

/// <summary>The texts and how likely each is, the likeliest first. The context is null where none was given.</summary>
internal sealed record ScoreResult(string? Context, ScoredText[] Scores);

/// <summary>A text, or the name of a file, and its likelihood; logarithms are natural. The tokens are null where they were not asked for.</summary>
internal sealed record ScoredText(
    string? Text, string? File, double LogProbability, int Tokens, double Perplexity, int Bytes, double BitsPerByte, int Characters, double BitsPerCharacter,
    ScoredToken[]? TokenScores)
{
    public static ScoredText Of(ContinuationScore scored, string? file, ScoringOptions options)
    {
        TextScore score = scored.Score;
        return new ScoredText(
            file is null ? scored.Text : null, file, score.LogProbability, score.TokenCount, score.Perplexity, score.Bytes, score.BitsPerByte,
            score.Characters, score.BitsPerCharacter, options.OutputTokens ? [.. score.Tokens.Select(ScoredToken.Of)] : null);
    }
}

/// <summary>A token; start and end are a half-open span in Unicode code points.</summary>
internal sealed record ScoredToken(int TokenId, string Token, string TokenText, int Start, int End, double LogProbability, int Rank, NamedToken[] Alternatives)
{
    public static ScoredToken Of(TokenScore token) => new(
        token.TokenId, token.Token, token.TokenText, token.CodePointStart, token.CodePointEnd, token.LogProbability, token.Rank,
        [.. token.Alternatives.Select(NamedToken.Of)]);
}
