using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Whatever happens to a session, its cache holds the tokens that it says it holds.</summary>
[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class HeldTokensTests(string family)
{
    private static readonly Tokenizer Tokenizer = Tokenizers.Tokenizer.Load(TestData.Model("demo-codegen"));
    private static readonly int[] s_repeating = [.. Enumerable.Range(0, 40).Select(i => 50 + i % 4)];
    private static readonly GenerationOptions s_options = new() { MaxNewTokens = 20, EosTokenId = [] };
    private DecoderForCausalLM _model = null!;
    private TextGenerator _generator = null!;

    private static IEnumerable<GenerationOptions> Calls() =>
    [
        s_options,
        s_options with { PromptLookupNumTokens = 7 },
        s_options with { PromptLookupNumTokens = 7, DoSample = true, Seed = 1, TopK = 3 },
        s_options with { NumBeams = 3 },
        s_options with { DoSample = true, Seed = 1, NumReturnSequences = 3 },
        s_options with { MaxNewTokens = 1 },
    ];

    [OneTimeSetUp]
    public void Load()
    {
        _model = TinyDecoder.Model(Tokenizer.VocabularySize, positions: 1200, family: family);
        _generator = TextGenerator.Create(_model, Tokenizer);
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [TestCaseSource(nameof(Calls))]
    public void After_any_call_on_any_prompt(GenerationOptions options)
    {
        using GenerationSession session = _generator.CreateSession();
        session.Generate(s_repeating, s_options);
        int[] held = [.. session.TokenIds];
        foreach (int[] prompt in new[] { held, held[..10], [.. held, 7, 8], [.. held[..30], 9], [6], held })
        {
            int common = Math.Min(prompt.Length - 1, prompt.AsSpan().CommonPrefixLength([.. session.TokenIds]));
            GenerationOutput output = session.Generate(prompt, options);
            int texts = options.NumReturnSequences ?? 1;
            Assert.That((output.Usage.PromptTokens, output.Usage.CachedTokens), Is.EqualTo((prompt.Length * texts, common + prompt.Length * (texts - 1))));
            Assert.That(output.Sequences.Select(one => one.TokenIds), Is.EqualTo(_generator.GenerateIds([prompt], options)));
            AssertHeld(session);
        }
    }

    [Test]
    public void After_a_model_that_drafts()
    {
        using DecoderForCausalLM small = TinyDecoder.Model(Tokenizer.VocabularySize, positions: 50, seed: 9, family: family);
        using TextGenerator other = TextGenerator.Create(small, Tokenizer);
        foreach (TextGenerator assistant in new[] { _generator, other })
        {
            using GenerationSession session = _generator.CreateSession();
            GenerationOutput output = session.Generate(s_repeating, s_options with { AssistantModel = assistant });
            Assert.That(output.Usage.DraftedTokens, Is.GreaterThan(0));
            Assert.That(output.Sequences[0].TokenIds, Is.EqualTo(_generator.GenerateIds([s_repeating], s_options)[0]));
            AssertHeld(session);
        }
    }

    [Test]
    public void After_a_processor_or_a_criterion_that_throws_while_a_draft_is_checked([Range(40, 48)] int length)
    {
        using GenerationSession session = _generator.CreateSession();
        var repeat = new TinyDecoder.Script(40, [.. Enumerable.Range(0, 20).Select(i => i == 6 ? 99 : 50 + i % 4)]);
        GenerationOptions options = s_options with { PromptLookupNumTokens = 7, LogitsProcessors = [repeat, new TinyDecoder.Failing(length)] };
        Assert.That(() => session.Generate(s_repeating, options), Throws.TypeOf<InvalidOperationException>().With.Message.EqualTo("the processor's own"));
        AssertHeld(session);
        options = options with { LogitsProcessors = [repeat], StoppingCriteria = [new FailingCriterion(length)] };
        Assert.That(() => session.Generate(s_repeating, options), Throws.TypeOf<InvalidOperationException>().With.Message.EqualTo("the criterion's own"));
        AssertHeld(session);
    }

    [Test]
    public void After_cancelling_anywhere()
    {
        int[] prompt = [.. Enumerable.Range(0, 1100).Select(i => 20 + i % 300)];
        for (int delay = 0; delay < 12; delay++)
        {
            using GenerationSession session = _generator.CreateSession();
            using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(delay * 4));
            try
            {
                session.Generate(prompt, s_options, source.Token);
            }
            catch (OperationCanceledException)
            {
                int held = session.TokenIds.Count;
                Assert.That(held % 256 == 0 || held >= prompt.Length, $"{held} tokens: whole parts");
            }
            if (session.TokenIds.Count > 0)
                AssertHeld(session);
        }
    }

    [Test]
    public void In_half_the_memory([Values(WeightType.F16, WeightType.BF16)] WeightType type)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"held-{family}-{type}.safetensors");
        using GenerationSession session = _generator.CreateSession(new SessionOptions { KeyValueType = type }), wide = _generator.CreateSession();
        foreach (GenerationOptions options in Calls())
        {
            GenerationOptions half = options with { KeyValueType = type };
            Assert.That(session.Generate(s_repeating, options).Sequences.Select(one => one.TokenIds), Is.EqualTo(_generator.GenerateIds([s_repeating], half)));
            AssertHeld(session, type);
        }
        session.Save(path);
        Assert.That(() => wide.Load(path), Throws.TypeOf<CheckpointException>().With.Message.Contains($"is {type}").And.Message.Contains("needs F32"));
        Assert.That(() => wide.Generate("x", s_options with { KeyValueType = type }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains($"KeyValueType is {type}"));
        using GenerationSession again = session.Fork();
        again.Generate([6], s_options);
        again.Load(path);
        Assert.That(again.TokenIds, Is.EqualTo(session.TokenIds));
        AssertHeld(again, type);
    }

    // What follows the held tokens is what follows them in a session that never held anything else.
    private void AssertHeld(GenerationSession session, WeightType type = WeightType.F32)
    {
        using GenerationSession fork = session.Fork();
        int[] held = [.. session.TokenIds], next = [.. held, 5];
        GenerationOptions options = new() { MaxNewTokens = 1, EosTokenId = [], TopLogProbabilities = 20, KeyValueType = type };
        GenerationOutput output = fork.Generate(next, options);
        Assert.That(output.Usage.CachedTokens, Is.EqualTo(held.Length));
        IReadOnlyList<TokenProbability> fresh = _generator.GenerateSequences([next], options).Sequences[0].LogProbabilities![0].Alternatives;
        Assert.That(output.Sequences[0].LogProbabilities![0].Alternatives.Select(one => one.LogProbability),
            Is.EqualTo(fresh.Select(one => one.LogProbability)).Within(type == WeightType.F32 ? 1e-4 : 2e-2));
    }

    private sealed class FailingCriterion(int length) : StoppingCriterion
    {
        public override bool IsMet(GenerationState state) =>
            state.InputIds.Length > length ? throw new InvalidOperationException("the criterion's own") : false;
    }
}
