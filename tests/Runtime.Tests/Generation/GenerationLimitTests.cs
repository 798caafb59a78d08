using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Where prompts, limits and sessions end, and what is refused before anything is computed.</summary>
public sealed class GenerationLimitTests
{
    private const int Positions = 700;
    private static readonly Tokenizer Tokenizer = Tokenizers.Tokenizer.Load(TestData.Model("demo-codegen"));
    private static readonly GenerationOptions s_four = new() { MaxNewTokens = 4, EosTokenId = [], TopLogProbabilities = 1 };
    private DecoderForCausalLM _model = null!;
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _model = TinyDecoder.Model(Tokenizer.VocabularySize, Positions);
        _generator = TextGenerator.Create(_model, Tokenizer);
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [Test]
    public void A_truncated_prompt_keeps_its_end_however_it_is_given()
    {
        int[] prompt = Prompt(750), mask = [.. Enumerable.Repeat(1, 750)];
        GenerationOptions options = s_four with { TruncatePrompt = true };
        int[] expected = _generator.GenerateIds([prompt[^(Positions - 4)..]], s_four)[0];
        Assert.That(_generator.GenerateIds([prompt], options)[0], Is.EqualTo(expected));
        Assert.That(_generator.GenerateBatch([prompt], [mask], options).Sequences[0].TokenIds, Is.EqualTo(expected));
        Assert.That(_model.Generate([prompt], options)[0], Is.EqualTo(expected));
        Assert.That(_model.GenerateBatch([prompt], null, options).Sequences[0].TokenIds, Is.EqualTo(expected));
        GenerationOutput limited = _generator.GenerateSequences([prompt], new GenerationOptions { MaxLength = 50, EosTokenId = [], TruncatePrompt = true });
        Assert.That((limited.Usage.PromptTokens, limited.Usage.DroppedTokens, limited.Usage.NewTokens), Is.EqualTo((49, 701, 1)));
        Assert.That(() => _generator.GenerateIds([prompt], s_four), Throws.TypeOf<ModelInputException>().With.Message.Contains("750 tokens"));
    }

    [Test]
    public void A_shorter_session_limits_texts_and_truncates_to_what_it_holds()
    {
        using GenerationSession session = _generator.CreateSession(new SessionOptions { MaxLength = 20 });
        Assert.That(session.Generate(Prompt(10), new GenerationOptions { EosTokenId = [] }).Usage.NewTokens, Is.EqualTo(10), "as many as fit");
        GenerationOutput cut = session.Generate(Prompt(100), s_four with { TruncatePrompt = true });
        Assert.That((cut.Usage.PromptTokens, cut.Usage.DroppedTokens), Is.EqualTo((16, 84)));
        Assert.That(cut.Sequences[0].TokenIds, Is.EqualTo(_generator.GenerateIds([Prompt(100)[^16..]], s_four)[0]));
        Assert.That(() => session.Generate(Prompt(20), s_four),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 20 (SessionOptions.MaxLength)"));
        Assert.That(() => session.Generate(Prompt(17), s_four), Throws.TypeOf<ModelInputException>().With.Message.Contains("together 21"));
    }

    [TestCase("codegen", "n_positions")]
    [TestCase("gpt2", "n_positions")]
    [TestCase("llama", "max_position_embeddings")]
    [TestCase("qwen2", "max_position_embeddings")]
    [TestCase("gpt_neox", "max_position_embeddings")]
    public void What_is_too_long_names_the_key_of_the_models_own_config(string family, string key)
    {
        using DecoderForCausalLM model = TinyDecoder.Model(Tokenizer.VocabularySize, positions: 16, family: family);
        using TextGenerator generator = TextGenerator.Create(model, Tokenizer);
        Assert.That(() => generator.GenerateIds([Prompt(20)], s_four),
            Throws.TypeOf<ModelInputException>().With.Message.Contains($"the model reads at most 16 ({key}), and").And.Message.Contains("set TruncatePrompt"));
        Assert.That(() => model.Config.Positions.ToString(), Is.EqualTo(key));
        Assert.That(() => new ScoringOptions { Window = 17 }.WindowsOf(model.Config),
            Throws.TypeOf<ModelInputException>().With.Message.Contains($"at most 16 tokens ({key})"));
    }

    [TestCase(256)]
    [TestCase(257)]
    [TestCase(513)]
    [TestCase(Positions - 1)]
    public void Prompts_of_several_parts_up_to_the_last_place_give_what_one_pass_gives(int length)
    {
        int[] prompt = Prompt(length);
        GeneratedSequence text =
            _generator.GenerateSequences([prompt], new GenerationOptions { MaxNewTokens = 1, EosTokenId = [], TopLogProbabilities = 1 }).Sequences[0];
        using Session session = _model.CreateSession();
        float[] scores = _model.Forward(prompt, session).Logits.Row(length - 1).ToArray();
        double logSum = Math.Log(scores.Sum(score => Math.Exp(score)));
        Assert.That(text.LogProbabilities![0].LogProbability, Is.EqualTo(scores.Max() - logSum).Within(1e-4));
    }

    [Test]
    public void Bad_prompts_are_refused_before_anything_is_lost()
    {
        using GenerationSession session = _generator.CreateSession();
        session.Generate(Prompt(8), s_four);
        int[] held = [.. session.TokenIds];
        Assert.That(() => session.Generate([.. Prompt(4), -1], s_four), Throws.TypeOf<ModelInputException>().With.Message.Contains("token -1 at place 4"));
        Assert.That(() => session.Generate([], s_four), Throws.TypeOf<ModelInputException>().With.Message.Contains("no tokens"));
        Assert.That(session.TokenIds, Is.EqualTo(held));
        Assert.That(() => _generator.GenerateIds([[1], [int.MinValue]]), Throws.TypeOf<ModelInputException>().With.Message.Contains("Prompt 1"));
        // Padding that is no token: processors would look up its score.
        Assert.That(() => _generator.GenerateBatch([[99999, 5]], [[0, 1]], s_four with { RepetitionPenalty = 1.2 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("99999"));
        Assert.That(() => _generator.GenerateBatch([[1, 2], [3]], null), Throws.TypeOf<ModelInputException>().With.Message.Contains("input_ids[1] has 1"));
        Assert.That(() => _generator.GenerateIds(null!), Throws.ArgumentNullException);
        Assert.That(() => _generator.GenerateIds([[1], null!]), Throws.ArgumentNullException);
        Assert.That(() => _generator.GenerateBatch([[1]], [null!]), Throws.ArgumentNullException);
        Assert.That(() => _generator.Generate((string)null!), Throws.ArgumentNullException);
        Assert.That(() => session.Generate((int[])null!), Throws.ArgumentNullException);
    }

    [Test]
    public void Zeros_in_a_mask_leave_tokens_out_wherever_they_are()
    {
        int[] without = _model.Generate([[5, 6, 7]], s_four)[0];
        foreach ((int[] ids, int[] mask) in new (int[], int[])[] { ([9, 5, 6, 7], [0, 1, 1, 1]), ([5, 9, 6, 7], [1, 0, 1, 1]), ([5, 6, 7, 9], [1, 1, 1, 0]) })
            Assert.That(_model.GenerateBatch([ids], [mask], s_four).Sequences[0].TokenIds, Is.EqualTo(without));
    }

    [Test]
    public void What_was_disposed_says_so()
    {
        CodeGenForCausalLM loaded = PretrainedModels.Load<CodeGenForCausalLM>(TestData.Model("demo-codegen"));
        loaded.Dispose();
        using TextGenerator gone = TextGenerator.Create(loaded, Tokenizer);
        Assert.That(() => gone.Generate("x"), Throws.TypeOf<ObjectDisposedException>());
        GenerationSession session = _generator.CreateSession();
        session.Dispose();
        session.Dispose();
        Assert.That(() => session.Generate("x", s_four), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => session.Fork(), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => session.Save("nowhere"), Throws.TypeOf<ObjectDisposedException>());
    }

    private static int[] Prompt(int length) => [.. Enumerable.Range(0, length).Select(i => 100 + i * 7 % 5000)];
}
