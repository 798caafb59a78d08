using ManagedTransformers.Models;
using ManagedTransformers.Serving;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>A kind of call.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Weight">How often it is drawn.</param>
/// <param name="Ask">Makes call number n, and gives its answer, which is the same each time; null: it was refused, because too many asked.</param>
internal sealed record SoakKind(string Name, int Weight, Func<SoakModels, int, Task<SoakAnswer?>> Ask)
{
    /// <summary>0: all bits are the same each time. Else by how much numbers may differ: texts of several callers that run in one batch have other last
    /// bits.</summary>
    public float Tolerance { get; init; }

    /// <summary>The kind whose answers are the right ones; null: this one's own, when nothing else runs.</summary>
    public string? SameAs { get; init; }
}

/// <summary>The calls on models that are loaded once.</summary>
internal static class SoakKinds
{
    private const float Merged = 1e-4f;
    private static readonly string[] s_masks =
        ["def add(a, b):\n    return <mask> + b\n", "public static <mask> set(string $key)", "for i in <mask>(10):", "import <mask>\n", "if (a <mask> b)"];

    public static SoakKind[] All { get; } =
    [
        new("tokenize", 4, Now(Tokenize)), new("fill-mask", 4, Now((models, n) => SoakAnswer.Of(models.Masks.Predict(Mask(n))))),
        new("classify", 4, Now((models, n) => SoakAnswer.Of(models.Languages.Classify(models.Text(n))))),
        new("tag", 4, Now((models, n) => SoakAnswer.Of(models.Tags.Tag(models.Text(n))))),
        new("embed", 4, Now((models, n) => new SoakAnswer("", models.Embedder.Embed(models.Text(n))))),
        new("extract", 2, Now((models, n) => SoakAnswer.Of(models.Features.Extract(models.Text(n), truncation: true)))),
        new("generate", 4, Now(Generate)), new("sample", 2, Now(Sample)), new("beams", 1, Now(Beams)), new("infill", 2, Now(Infill)),
        new("score", 3, Now(Score)),
        new("stream", 3, (models, n) => StreamAsync(models.Generator.StreamAsync(models.Text(n), models.Options(n)))) { SameAs = "generate" },
        new("engine generates", 6, EngineGenerateAsync) { SameAs = "generate" }, new("engine samples", 3, EngineSampleAsync) { SameAs = "sample" },
        new("engine embeds", 3, EngineEmbedAsync) { SameAs = "embed", Tolerance = Merged },
        new("engine classifies", 3, EngineClassifyAsync) { SameAs = "classify", Tolerance = Merged },
        new("engine tags", 3, EngineTagAsync) { SameAs = "tag", Tolerance = Merged },
        new("engine fills masks", 3, EngineFillAsync) { SameAs = "fill-mask", Tolerance = Merged },
    ];

    /// <summary>A call that does not wait.</summary>
    public static Func<SoakModels, int, Task<SoakAnswer?>> Now(Func<SoakModels, int, SoakAnswer> ask) =>
        (models, n) => Task.FromResult<SoakAnswer?>(ask(models, n));

    public static string Mask(int n) => s_masks[n % s_masks.Length];

    public static SoakAnswer Generate(SoakModels models, int n) =>
        SoakAnswer.Of(models.Generator.GenerateSequences([models.Text(n)], models.Options(n)).Sequences);

    /// <summary>All pieces of a stream.</summary>
    public static async Task<SoakAnswer?> StreamAsync(IAsyncEnumerable<TextPiece> pieces)
    {
        var all = new List<TextPiece>();
        await foreach (TextPiece piece in pieces.ConfigureAwait(false))
            all.Add(piece);
        return SoakAnswer.Of($"{string.Join(' ', all.SelectMany(piece => piece.TokenIds))} {string.Concat(all.Select(piece => piece.Text))}");
    }

    private static SoakAnswer Tokenize(SoakModels models, int n)
    {
        Tokenizer tokenizer = models.Generator.Tokenizer;
        int[] ids = tokenizer.EncodeToIds(models.Text(n));
        TokenEncoding whole = tokenizer.Encode(models.Text(n));
        return SoakAnswer.Of($"{string.Join(' ', ids)} {tokenizer.Decode(ids)} {whole.Ids.Length == ids.Length}");
    }

    private static GenerationOptions Drawn(SoakModels models, int n) =>
        models.Options(n) with { DoSample = true, Temperature = 0.8, TopP = 0.9, Seed = n, NumReturnSequences = 3 };

    private static SoakAnswer Sample(SoakModels models, int n) =>
        SoakAnswer.Of(models.Generator.GenerateSequences([models.Text(n)], Drawn(models, n)).Sequences);

    private static SoakAnswer Beams(SoakModels models, int n)
    {
        GenerationOutput output = models.Generator.GenerateSequences([models.Text(n)], models.Options(n) with { NumBeams = 3 });
        return SoakAnswer.Of(output.Sequences) with { Numbers = [.. output.Sequences.Select(one => (float)one.Score!.Value)] };
    }

    private static SoakAnswer Infill(SoakModels models, int n) =>
        SoakAnswer.Of(models.Generator.Infill(prefix: models.Text(n), suffix: models.Text(n + 1), models.Options(n)));

    private static SoakAnswer Score(SoakModels models, int n)
    {
        TextScore score = models.Scorer.Score(models.Text(n));
        return new SoakAnswer($"{score.TokenCount} {BitConverter.DoubleToInt64Bits(score.LogProbability)}",
            [.. score.Tokens.Select(token => (float)token.LogProbability)]);
    }

    private static GenerationRequest Request(SoakModels models, int n, GenerationOptions options) =>
        new(models.Generator.Encode(models.Text(n))) { Options = options };

    private static async Task<SoakAnswer?> EngineGenerateAsync(SoakModels models, int n) =>
        SoakAnswer.Of((await models.Generation.GenerateAsync(Request(models, n, models.Options(n))).ConfigureAwait(false)).Sequences);

    private static async Task<SoakAnswer?> EngineSampleAsync(SoakModels models, int n) =>
        SoakAnswer.Of((await models.Generation.GenerateAsync(Request(models, n, Drawn(models, n))).ConfigureAwait(false)).Sequences);

    private static async Task<SoakAnswer?> EngineEmbedAsync(SoakModels models, int n) =>
        new("", (await models.EngineOf<SentenceEmbeddingPipeline>().EmbedAsync([models.Text(n + 1), models.Text(n)]).ConfigureAwait(false))[1].Vector);

    private static async Task<SoakAnswer?> EngineClassifyAsync(SoakModels models, int n) =>
        SoakAnswer.Of((await models.EngineOf<TextClassificationPipeline>().ClassifyAsync([models.Text(n)]).ConfigureAwait(false))[0]);

    private static async Task<SoakAnswer?> EngineTagAsync(SoakModels models, int n) =>
        SoakAnswer.Of((await models.EngineOf<TokenClassificationPipeline>().TagAsync([models.Text(n)]).ConfigureAwait(false))[0]);

    private static async Task<SoakAnswer?> EngineFillAsync(SoakModels models, int n) =>
        SoakAnswer.Of((await models.EngineOf<FillMaskPipeline>().FillMaskAsync([Mask(n)]).ConfigureAwait(false))[0].Masks[0].Predictions);
}
