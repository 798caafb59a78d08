using System.CommandLine;
using System.Globalization;
using ManagedTransformers.Serving;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx embed: a vector for every text, of the command line or of a corpus.</summary>
internal sealed class EmbedCommand : MtxCommand
{
    private const int ShownValues = 4;

    /// <summary>The words of --pooling, in the order of <see cref="Pooling"/>.</summary>
    private static readonly string[] PoolingWords = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"];

    private readonly Argument<string[]> _texts = new("TEXT")
    {
        Arity = ArgumentArity.ZeroOrMore, Description = "The texts; '-' reads one from standard input.",
    };
    private readonly Option<string[]> _pooling = new("--pooling")
    {
        HelpName = string.Join('|', PoolingWords),
        Description = "How the vectors of tokens become one; repeat it to join several. Default: as modules.json says, else mean.",
    };

    private readonly Option<string?> _promptName = new("--prompt-name")
    {
        HelpName = "NAME",
        Description = "Put the checkpoint's prompt of this name before every text. Default: its default_prompt_name, if it has one.",
    };

    private readonly Option<string?> _prompt = new("--prompt")
    {
        HelpName = "TEXT",
        Description = "Put this before every text, in place of the checkpoint's prompts; '' puts nothing.",
    };

    private readonly Option<bool> _normalize = CommonOptions.Flag("--normalize", "Make every vector's length 1. Default: as modules.json says, else no.");
    private readonly Option<bool> _noNormalize = CommonOptions.Flag("--no-normalize", "Leave the vectors as they are.");
    private readonly Option<bool> _truncate = CommonOptions.Truncate();
    private readonly CorpusArguments _corpus = new();

    public EmbedCommand(CliConsole console)
        : base("embed", "Turn texts into vectors, and compare them", console)
    {
        Add(_texts);
        _pooling.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, PoolingWords);
        foreach (Option option in new Option[] { _pooling, _normalize, _noNormalize, _promptName, _prompt, _truncate })
            Add(option);
        _corpus.AddTo(this, _texts, file: null);
        Validators.Add(result =>
        {
            if (result.GetValue(_normalize) && result.GetValue(_noNormalize))
                result.AddError("--normalize and --no-normalize exclude each other.");
            if (result.GetValue(_promptName) is not null && result.GetValue(_prompt) is not null)
                result.AddError("--prompt-name and --prompt exclude each other.");
        });
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _corpus.Groups;

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var options = new EmbeddingOptions
        {
            Pooling = context.Get(_pooling) is { Length: > 0 } words ? [.. words.Select(PoolingOf)] : null,
            PromptName = context.Get(_promptName),
            Prompt = context.Get(_prompt),
            Normalize = context.Get(_normalize) ? true : context.Get(_noNormalize) ? false : null,
            Truncation = context.Get(_truncate),
        };
        if (_corpus.IsForCluster(context))
            return _corpus.RunOnClusterAsync(context, ModelLocator.Embedder, options, before: null, cancellationToken);
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(
            context.ModelDirectory(ModelLocator.Embedder), _corpus.PipelineOptions(context));
        if (context.Get(_promptName) is string name && !pipeline.Prompts.ContainsKey(name))
            throw new UsageException($"{_promptName.Name} is {name}, and the checkpoint has no such prompt; it has " +
                $"{(pipeline.Prompts.Count == 0 ? "none" : string.Join(", ", pipeline.Prompts.Keys))}. Name one of them, or give the text: --prompt TEXT.");
        if (_corpus.IsGiven(context))
            return Task.FromResult(_corpus.Run(context, CorpusTask.Embed(pipeline, options), cancellationToken));
        string[] texts = [.. context.Get(_texts)!.Select(context.Text)];
        IReadOnlyList<float[]> vectors = pipeline.Embed(texts, options, new Counter(context.Console, texts.Length), cancellationToken);
        context.Console.ShowProgress("");

        string similarity = pipeline.SimilarityFunction.ToString().ToLowerInvariant();
        var result = new EmbedResult(vectors[0].Length, [.. texts.Zip(vectors, (text, vector) => new EmbedVector(text, vector))], similarity);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.EmbedResult))
            ShowTables(context.Console, result, pipeline);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static Pooling PoolingOf(string word) => (Pooling)Array.FindIndex(PoolingWords, one => one.Equals(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>Reports at once, unlike Progress&lt;T>, which posts to the thread pool and may come late.</summary>
    private sealed class Counter(CliConsole console, int texts) : IProgress<int>
    {
        public void Report(int value) => console.ShowProgress($"{value} of {texts} texts");
    }

    private static void ShowTables(CliConsole console, EmbedResult result, SentenceEmbeddingPipeline pipeline)
    {
        Table table = Show.Table(console, ">#", "text", ">length", $"first of {result.Dimensions} values");
        for (int i = 0; i < result.Embeddings.Length; i++)
        {
            float[] vector = result.Embeddings[i].Vector;
            string values = string.Join("  ", vector.Take(ShownValues).Select(x => x.ToString("0.0000", CultureInfo.InvariantCulture).PadLeft(7)));
            double length = Math.Sqrt(vector.Sum(x => (double)x * x));
            table.AddRow(Show.Number(i + 1, "0"), Show.Quoted(result.Embeddings[i].Text), Show.Number(length, "0.0000"), Show.Cell(values));
        }
        Show.Write(console, table);
        if (result.Embeddings.Length > 1)
            ShowSimilarities(console, result, pipeline);
    }

    private static void ShowSimilarities(CliConsole console, EmbedResult result, SentenceEmbeddingPipeline pipeline)
    {
        EmbedVector[] embeddings = result.Embeddings;
        console.Out.WriteLine($"\n{result.Similarity} similarity");
        Table table = Show.Table(console, [">#", .. Enumerable.Range(1, embeddings.Length).Select(i => $">{i}")]);
        foreach ((int i, EmbedVector one) in embeddings.Index())
            table.AddRow([Show.Number(i + 1, "0"), .. embeddings.Select(other => Show.Number(pipeline.Similarity(one.Vector, other.Vector), "0.000"))]);
        Show.Write(console, table);
    }
}

/// <summary>A vector for every text, in the order of the command line; similarity says how the checkpoint compares them.</summary>
internal sealed record EmbedResult(int Dimensions, EmbedVector[] Embeddings, string Similarity);

/// <summary>A text and its vector.</summary>
internal sealed record EmbedVector(string Text, float[] Vector);
