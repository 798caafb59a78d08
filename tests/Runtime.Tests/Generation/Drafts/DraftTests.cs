using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class DraftTests
{
    private const string Repeating = "def add(a, b):\n    return a + b\n\n\ndef add(a, b):\n    return a + b\n\n\ndef add(a, b):\n";
    private static readonly int[] s_prompt = [63, 150, 55, 171, 48, 9, 123, 133, 119, 169, 142, 72];
    private TextGenerator _generator = null!;
    private CodeGenForCausalLM _model = null!;

    private static IEnumerable<GenerationOptions> Choices() =>
    [
        new() { MaxNewTokens = 60, EosTokenId = [] },
        new() { MaxNewTokens = 60, EosTokenId = [], RepetitionPenalty = 1.1 },
        new() { MaxNewTokens = 60, EosTokenId = [], DoSample = true, Seed = 4, Temperature = 0.8 },
        new() { MaxNewTokens = 60, EosTokenId = [], DoSample = true, Seed = 4, TopK = 0, NumReturnSequences = 2 },
        new() { MaxNewTokens = 60, EosTokenId = [198], MinNewTokens = 9 },
    ];

    [OneTimeSetUp]
    public void Load()
    {
        _generator = TextGenerator.Load(TestData.Model("demo-codegen"));
        _model = PretrainedModels.Load<CodeGenForCausalLM>(TestData.Reference("generation"));
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [TestCaseSource(nameof(Choices))]
    public void Looked_up_tokens_change_nothing_but_the_number_of_passes(GenerationOptions options)
    {
        GenerationOutput plain = _generator.GenerateSequences([Repeating, "import os\n"], options);
        GenerationOutput drafted = _generator.GenerateSequences([Repeating, "import os\n"], options with { PromptLookupNumTokens = 7 });
        Assert.That(drafted.Sequences.Select(one => one.TokenIds), Is.EqualTo(plain.Sequences.Select(one => one.TokenIds)));
        Assert.That(drafted.Usage.DraftedTokens, Is.GreaterThan(0));
    }

    [TestCaseSource(nameof(Choices))]
    public void A_draft_model_changes_nothing_but_the_number_of_passes(GenerationOptions options)
    {
        using CodeGenForCausalLM small = PretrainedModels.FromConfig<CodeGenForCausalLM>(
            (CodeGenConfig)_generator.CausalLM.Config with { NLayer = 1 }, seed: 3);
        using TextGenerator stranger = TextGenerator.Create(small, _generator.Tokenizer);
        GenerationOutput plain = _generator.GenerateSequences([Repeating, "import os\n"], options);
        foreach (TextGenerator assistant in new[] { stranger, _generator })
        {
            GenerationOutput drafted = _generator.GenerateSequences([Repeating, "import os\n"], options with { AssistantModel = assistant });
            Assert.That(drafted.Sequences.Select(one => one.TokenIds), Is.EqualTo(plain.Sequences.Select(one => one.TokenIds)));
            Assert.That(drafted.Usage.DraftedTokens, Is.GreaterThan(0));
        }
    }

    [Test]
    public void A_draft_model_that_agrees_is_believed_and_one_that_does_not_is_not()
    {
        var options = new GenerationOptions { MaxNewTokens = 60, EosTokenId = [], DoSample = true, Seed = 2, AssistantModel = _generator };
        GenerationUsage usage = _generator.GenerateSequences([Repeating], options).Usage;
        Assert.That(usage.AcceptedTokens, Is.EqualTo(usage.DraftedTokens), "the model itself, with the same noise, drafts what it says");
        Assert.That(usage.Passes, Is.LessThan(15));
    }

    [Test]
    public void Repeating_text_takes_fewer_passes_with_lookup()
    {
        GenerationUsage usage =
            _generator.GenerateSequences([Repeating], new GenerationOptions { MaxNewTokens = 16, EosTokenId = [], PromptLookupNumTokens = 7 }).Usage;
        Assert.That(usage.Passes, Is.LessThan(12), "15 without");
        Assert.That(usage.AcceptedTokens, Is.EqualTo(15 - usage.Passes));
    }

    [Test]
    public void Lookup_falls_silent_where_it_is_wrong()
    {
        // 1 2 10, 1 2 11, 1 2 12, …: what stood before comes back, and what follows is always new.
        int[] text = [.. Enumerable.Range(10, 50).SelectMany(next => new[] { 1, 2, next })];
        var options = new GenerationOptions { MaxNewTokens = 96, EosTokenId = [], LogitsProcessors = [new Script(text)], PromptLookupNumTokens = 7 };
        GenerationOutput output = _model.GenerateSequences([text[..12]], options);
        Assert.That(output.Sequences[0].TokenIds, Is.EqualTo(text[12..108]));
        Assert.That((output.Usage.DraftedTokens, output.Usage.AcceptedTokens), Is.EqualTo((18, 0)), "twice three bets of three tokens");
    }

    private sealed class Script(int[] text) : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
            scores.Fill(float.NegativeInfinity);
            scores[text[inputIds.Length]] = 0;
        }
    }

    [Test]
    public void Drawn_tokens_with_a_draft_model_have_the_distribution_of_the_model()
    {
        // The second new token of many texts, whose distribution is known from the model's own scores.
        CodeGenConfig config = _model.Config;
        using CodeGenForCausalLM other = PretrainedModels.FromConfig<CodeGenForCausalLM>(config with { NLayer = 1 }, seed: 5);
        const int Texts = 3000;
        double[] expected = new double[config.VocabSize];
        double[] first = Probabilities(s_prompt);
        for (int token = 0; token < first.Length; token++)
        {
            if (first[token] < 1e-4)
                continue;
            double[] second = Probabilities([.. s_prompt, token]);
            for (int next = 0; next < second.Length; next++)
                expected[next] += first[token] * second[next];
        }
        var counts = new int[config.VocabSize];
        int accepted = 0;
        for (int seed = 0; seed < Texts; seed++)
        {
            var options = new GenerationOptions { MaxNewTokens = 3, EosTokenId = [], DoSample = true, Seed = seed, TopK = 0 };
            var plan = new GenerationPlan(_model, SearchPrompt.Of([s_prompt]), options, new());
            using var search = new TokenSearch(plan, new DraftModel(other, 1, s_prompt.Length + 3, plan), session: null);
            while (search.MoveNext(CancellationToken.None))
            {
            }
            counts[search.Rows[0].Generated[1]]++;
            accepted += search.Usage.AcceptedTokens;
        }
        // Tokens with an expected count of at least 5 by themselves, the others together.
        (double chiSquare, int cells, double restExpected, int restCount) = (0, 0, 0, 0);
        for (int token = 0; token < expected.Length; token++)
        {
            double want = expected[token] * Texts;
            if (want < 5)
            {
                (restExpected, restCount) = (restExpected + want, restCount + counts[token]);
                continue;
            }
            chiSquare += (counts[token] - want) * (counts[token] - want) / want;
            cells++;
        }
        chiSquare += (restCount - restExpected) * (restCount - restExpected) / Math.Max(restExpected, 1);
        // Wilson-Hilferty: the 99.9 % quantile of chi square with that many degrees of freedom.
        double limit = cells * Math.Pow(1 - 2.0 / (9 * cells) + 3.09 * Math.Sqrt(2.0 / (9 * cells)), 3);
        Assert.That(chiSquare, Is.LessThan(limit), $"{cells} cells");
        Assert.That(accepted, Is.GreaterThan(0), "some drafts were taken");
        Assert.That(cells, Is.GreaterThan(10));
    }

    [Test]
    public void A_draft_model_with_another_tokenizer_is_refused()
    {
        using CodeGenForCausalLM other =
            PretrainedModels.FromConfig<CodeGenForCausalLM>((CodeGenConfig)_generator.CausalLM.Config with { VocabSize = 9000, NLayer = 1 }, seed: 3);
        using TextGenerator stranger = TextGenerator.Create(other, _generator.Tokenizer);
        Assert.That(() => _generator.Generate("x", new GenerationOptions { AssistantModel = stranger }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("9000"));
        Assert.That(() => _generator.Generate("x", new GenerationOptions { AssistantModel = _generator, NumBeams = 2 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("NumBeams is 2"));
    }

    private double[] Probabilities(int[] tokens)
    {
        using Session session = _model.CreateSession();
        FloatTensor scores = _model.Append(tokens, [tokens.Length], [0], session, ScoresOf.LastTokens);
        var row = new float[scores.Shape[1]];
        Softmax.Run(scores.Row(0), row, KernelOptions.Default);
        return [.. row.Select(p => (double)p)];
    }
}
