using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx demo: one example of each demo model, with the command that runs it.</summary>
internal sealed class DemoCommand : MtxCommand
{
    private const string Php = "public static <mask> set(string $key, $value) {";
    private const string Snippet = "const total = items.map(x => x.price).reduce((a, b) => a + b, 0);";
    private const string Mail = "# Author: Grace Holm <grace.holm@example.com>";
    private const string Python = "def hello_world():";
    private const string Question = "read a file line by line";
    private static readonly string[] Functions = ["def add(a, b): return a + b", "with open(path) as f: return [line for line in f]", "fn main() {}"];
    private const string Prefix = "def hello_world():\n    ";
    private const string Suffix = "\n    return name\n";

    public DemoCommand(CliConsole console)
        : base("demo", "Show what the demo models do: fill a mask, tell a language, find names, compare texts, complete a function, fill a gap", console)
    {
        Options.Remove(Common.Model);
        Options.Remove(Common.Revision);
    }

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        CliConsole console = context.Console;
        PipelineOptions options = context.PipelineOptions();
        FillMaskPrediction mask = FillMask(options, cancellationToken);
        LabelScore language = Classify(options, cancellationToken);
        IReadOnlyList<Entity> entities = Tag(options, cancellationToken);
        int nearest = Nearest(options, cancellationToken);
        using TextGenerator generator = TextGenerator.Load(ModelLocator.Demo(ModelLocator.Generator), options);
        if (context.Json)
        {
            string written = generator.Generate(Python, FirstFunction, cancellationToken);
            string between = generator.Infill(Prefix, Suffix, options: null, cancellationToken);
            return context.WriteJson(new DemoResult(
                    mask.Sequence, language.Label,
                    [.. entities.Select(entity => entity.Text)], Functions[nearest], Python + written, Prefix + between + Suffix),
                CliJsonContext.Relaxed.DemoResult) ? ExitCodes.Ok : ExitCodes.Defect;
        }

        Title(console, $"mtx fill-mask '{Php}'");
        console.Out.WriteLine($"{Show.Printable(mask.Sequence)}   ({mask.Score:P1})");
        Title(console, $"mtx classify '{Snippet}'");
        console.Out.WriteLine($"{Show.Visible(language.Label)}   ({language.Score:P1})");
        Title(console, $"mtx tag '{Mail}'");
        foreach (Entity entity in entities)
            console.Out.WriteLine($"{Show.Visible(entity.Label)} {Show.Visible(entity.Text)}   ({entity.Score:P1})");
        Title(console, $"mtx embed '{Question}' {string.Join(' ', Functions.Select(function => $"'{function}'"))}");
        console.Out.WriteLine($"{Functions[nearest]}   (the nearest)");
        Title(console, $"mtx generate '{Python}' --truncate-before-pattern '\\n\\n\\n'");
        var view = new StreamView(console);
        view.WriteGiven(Python);
        await foreach (TextPiece piece in generator.StreamAsync(Python, FirstFunction, cancellationToken).ConfigureAwait(false))
            view.WriteNew(piece.Text);
        view.End();
        Title(console, "mtx infill --whole --prefix $'def hello_world():\\n    ' --suffix $'\\n    return name\\n'");
        view.WriteGiven(Prefix);
        view.WriteNew(generator.Infill(Prefix, Suffix, options: null, cancellationToken));
        view.WriteGiven(Suffix);
        view.End();
        return ExitCodes.Ok;
    }

    private static GenerationOptions FirstFunction => new() { MaxNewTokens = 64, TruncateBeforePattern = ["\n\n\n"] };

    private static FillMaskPrediction FillMask(PipelineOptions options, CancellationToken cancellationToken)
    {
        using FillMaskPipeline pipeline = FillMaskPipeline.Load(ModelLocator.Demo(ModelLocator.FillMask), options);
        return pipeline.Predict(Php, new FillMaskOptions { TopK = 1 }, cancellationToken)[0];
    }

    private static LabelScore Classify(PipelineOptions options, CancellationToken cancellationToken)
    {
        using TextClassificationPipeline pipeline = TextClassificationPipeline.Load(ModelLocator.Demo(ModelLocator.LanguageId), options);
        return pipeline.Classify(Snippet, pair: null, options: null, cancellationToken)[0];
    }

    private static IReadOnlyList<Entity> Tag(PipelineOptions options, CancellationToken cancellationToken)
    {
        using TokenClassificationPipeline pipeline = TokenClassificationPipeline.Load(ModelLocator.Demo(ModelLocator.Tagger), options);
        return pipeline.Tag(Mail, new TokenClassificationOptions { Aggregation = AggregationStrategy.Simple, TrimOffsets = true }, cancellationToken);
    }

    /// <summary>Which of the functions is nearest to the question.</summary>
    private static int Nearest(PipelineOptions options, CancellationToken cancellationToken)
    {
        using SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(ModelLocator.Demo(ModelLocator.Embedder), options);
        string[] texts = [Question, .. Functions];
        IReadOnlyList<float[]> vectors = pipeline.Embed(texts, options: null, cancellationToken: cancellationToken);
        return Enumerable.Range(0, Functions.Length).MaxBy(i => pipeline.Similarity(vectors[0], vectors[i + 1]));
    }

    private static void Title(CliConsole console, string command)
    {
        console.Out.WriteLine();
        console.Styled.Write(new Text($"$ {command}\n", new Style(Color.Aqua)));
    }
}

/// <summary>
/// What the models gave: the filled text, the language's name, the personal data found, the function nearest to a question, the completed function, the
/// text with its gap filled.
/// </summary>
internal sealed record DemoResult(string FillMask, string Classify, string[] Tag, string Embed, string Generate, string Infill);
