using System.CommandLine;
using System.Globalization;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx embed: a vector for every text.</summary>
internal sealed class EmbedCommand : MtxCommand
{
    private const int ShownValues = 4;

    private readonly Argument<string[]> _texts = new("TEXT") { Arity = ArgumentArity.OneOrMore, Description = "The texts; '-' reads one from standard input." };
    private readonly Option<string?> _pooling = CommonOptions.Choice("--pooling", "How the vectors of tokens become one. Default: as modules.json says, else mean.", "cls", "mean", "max");
    private readonly Option<bool> _normalize = CommonOptions.Flag("--normalize", "Make every vector's length 1. Default: as modules.json says, else no.");
    private readonly Option<bool> _noNormalize = CommonOptions.Flag("--no-normalize", "Leave the vectors as they are.");
    private readonly Option<bool> _truncate = CommonOptions.Truncate();

    public EmbedCommand(CliConsole console)
        : base("embed", "Turn texts into vectors, and compare them", console)
    {
        Add(_texts);
        foreach (Option option in new Option[] { _pooling, _normalize, _noNormalize, _truncate })
            Add(option);
        Validators.Add(result =>
        {
            if (result.GetValue(_normalize) && result.GetValue(_noNormalize))
                result.AddError("--normalize and --no-normalize exclude each other.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(context.ModelDirectory(ModelLocator.FillMask), context.PipelineOptions());
        var options = new EmbeddingOptions
        {
            Pooling = context.Get(_pooling) is string pooling ? Enum.Parse<Pooling>(pooling, ignoreCase: true) : null,
            Normalize = context.Get(_normalize) ? true : context.Get(_noNormalize) ? false : null,
            Truncation = context.Get(_truncate),
        };
        string[] texts = [.. context.Get(_texts)!.Select(context.Text)];
        IReadOnlyList<float[]> vectors = pipeline.Embed(texts, options, new Counter(context.Console, texts.Length), cancellationToken);
        context.Console.ShowProgress("");

        var result = new EmbedResult(pipeline.Dimensions, [.. texts.Zip(vectors, (text, vector) => new EmbedVector(text, vector))]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.EmbedResult))
            ShowTables(context.Console, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    /// <summary>Tells at once, unlike Progress&lt;T>, which posts to the thread pool and may come late.</summary>
    private sealed class Counter(CliConsole console, int texts) : IProgress<int>
    {
        public void Report(int value) => console.ShowProgress($"{value} of {texts} texts");
    }

    private static void ShowTables(CliConsole console, EmbedResult result)
    {
        Table table = Show.Table(console, ">#", "text", ">length", $"first of {result.Dimensions} values");
        for (int i = 0; i < result.Embeddings.Length; i++)
        {
            float[] vector = result.Embeddings[i].Vector;
            string values = string.Join("  ", vector.Take(ShownValues).Select(x => x.ToString("0.0000", CultureInfo.InvariantCulture).PadLeft(7)));
            table.AddRow(Show.Number(i + 1, "0"), Show.Quoted(result.Embeddings[i].Text), Show.Number(Math.Sqrt(Dot(vector, vector)), "0.0000"), Show.Cell(values));
        }
        Show.Write(console, table);
        if (result.Embeddings.Length > 1)
            ShowSimilarities(console, result.Embeddings);
    }

    private static void ShowSimilarities(CliConsole console, EmbedVector[] embeddings)
    {
        console.Out.WriteLine("\ncosine similarity");
        Table table = Show.Table(console, [">#", .. Enumerable.Range(1, embeddings.Length).Select(i => $">{i}")]);
        for (int i = 0; i < embeddings.Length; i++)
            table.AddRow([Show.Number(i + 1, "0"), .. embeddings.Select(other => Show.Number(Cosine(embeddings[i].Vector, other.Vector), "0.000"))]);
        Show.Write(console, table);
    }

    private static double Cosine(float[] a, float[] b) => Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));

    private static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
}

/// <summary>A vector for every text, in the order of the command line.</summary>
internal sealed record EmbedResult(int Dimensions, EmbedVector[] Embeddings);

/// <summary>A text and its vector.</summary>
internal sealed record EmbedVector(string Text, float[] Vector);
