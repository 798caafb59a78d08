namespace ManagedTransformers.Serving.Tests;

/// <summary>A text that broke off after any piece goes on in another engine with the bits that it would have had.</summary>
public sealed class ContinuationTests
{
    private static TextGenerator s_generator = null!;

    [OneTimeSetUp]
    public void Load() => s_generator = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-codegen"));

    [OneTimeTearDown]
    public void Unload() => s_generator.Dispose();

    private static readonly GenerationOptions[] s_options =
    [
        new() { MaxNewTokens = 40, EosTokenId = [], TopLogProbabilities = 2 },
        new() { MaxNewTokens = 40, EosTokenId = [], TopLogProbabilities = 2, DoSample = true, Seed = 5, RepetitionPenalty = 1.2, NoRepeatNgramSize = 3 },
        new() { MaxNewTokens = 40, EosTokenId = [], TopLogProbabilities = 2, PromptLookupNumTokens = 4 },
        new() { MaxNewTokens = 40, TopLogProbabilities = 2, DoSample = true, Seed = 9, NumReturnSequences = 3, StopStrings = ["\n\n", "return a"] },
    ];

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public async Task A_text_goes_on_after_any_number_of_pieces(int which)
    {
        await using var engine = new GenerationEngine(s_generator);
        var request = new GenerationRequest(s_generator.Encode("def add(a, b):\n    return a + b\n\ndef add(")) { Options = s_options[which] };
        List<GenerationUpdate> whole = await Updates(engine, request);
        await using var other = new GenerationEngine(s_generator, new() { PromptTokensPerStep = 17 });
        int[] places = [.. Enumerable.Range(0, whole.Count).Where(place => place < 3 || place % 7 == 0 || place >= whole.Count - 2)];
        Task<List<GenerationUpdate>>[] runs =
            [.. places.Select(given => Updates(other, request with { Begun = Begun(whole.Take(given)) }))];
        for (int i = 0; i < runs.Length; i++)
        {
            int given = places[i];
            HashSet<int> ended = [.. whole.Take(given).Where(update => update.Piece.FinishReason is not null).Select(update => update.Index)];
            Assert.That(Said((await runs[i]).Where(update => !ended.Contains(update.Index))), Is.EqualTo(Said(whole.Skip(given))), $"after {given} pieces");
        }
    }

    [Test]
    public async Task What_the_model_does_not_say_is_refused_with_both_tokens_and_the_place()
    {
        await using var engine = new GenerationEngine(s_generator);
        var request = new GenerationRequest(s_generator.Encode("def add(")) { Options = new() { MaxNewTokens = 9, EosTokenId = [] } };
        int[] tokens = [.. (await engine.GenerateAsync(request)).Sequences[0].TokenIds];
        int right = tokens[3];
        tokens[3] = (right + 1) % 100;
        Assert.That(async () => await engine.GenerateAsync(request with { Begun = [tokens[..6]] }), Throws.TypeOf<ModelInputException>().With.Message.EqualTo(
            $"Begun of text 0 has 6 tokens; number 3 of them is {tokens[3]}, and the model chooses {right}. " +
            "It must come from the same request, the same files and the same kernel level."));
        Assert.That(async () => await engine.GenerateAsync(request with { Begun = [[1], [2]] }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("2 texts, and 1 are asked for"));
        Assert.That(async () => await engine.GenerateAsync(request with { Begun = [[1]], BestOf = 2, Options = new() { DoSample = true } }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("BestOf"));
        await using var free = new GenerationEngine(s_generator, new() { Deterministic = false });
        Assert.That(async () => await free.GenerateAsync(request with { Begun = [[1]] }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("not Deterministic"));
    }

    private static int[][] Begun(IEnumerable<GenerationUpdate> given)
    {
        ILookup<int, GenerationUpdate> texts = given.ToLookup(update => update.Index);
        int count = texts.Count == 0 ? 0 : texts.Max(text => text.Key) + 1;
        return [.. Enumerable.Range(0, count).Select(text => texts[text].SelectMany(update => update.Piece.TokenIds).ToArray())];
    }

    // Of each text: what it says, token by token, and every bit of what the model thought of it.
    private static string[] Said(IEnumerable<GenerationUpdate> updates) =>
        [.. updates.GroupBy(update => update.Index).OrderBy(text => text.Key).Select(text =>
            $"{text.Key} {string.Concat(text.Select(update => update.Piece.Text))} {string.Join(' ', text.SelectMany(update => update.Piece.TokenIds))} " +
            string.Join(' ', text.SelectMany(update => update.Piece.LogProbabilities!)
                .Select(token => $"{token.LogProbability:R} {string.Join(' ', token.Alternatives.Select(one => one.LogProbability.ToString("R")))}")) +
            text.Last().Piece.FinishReason)];

    private static async Task<List<GenerationUpdate>> Updates(GenerationEngine engine, GenerationRequest request)
    {
        var updates = new List<GenerationUpdate>();
        await foreach (GenerationUpdate update in engine.StreamAsync(request))
            updates.Add(update);
        return updates;
    }
}
