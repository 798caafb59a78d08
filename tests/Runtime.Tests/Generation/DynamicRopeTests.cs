using System.Text;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>rope_scaling dynamic beyond max_position_embeddings (16 here): the angles are those of the whole text, however it is read.</summary>
/// <remarks>Numbers: the equations of modeling_llama in double precision, which give llama-rope-dynamic's logits, with the calls that transformers' generate
/// makes: the prompt in one, then each token, with the base of the length so far.</remarks>
public sealed class DynamicRopeTests
{
    private static readonly int[] s_long = [.. Enumerable.Range(0, 300).Select(i => (((i * 37) + 11) % 217) + 3)];
    private static readonly int[] s_afterLong =
        [156, 148, 142, 188, 65, 69, 48, 194, 51, 183, 130, 171, 29, 40, 7, 53, 193, 73, 17, 82, 48, 194, 93, 15];
    private static readonly int[] s_afterTen =
        [130, 43, 81, 73, 130, 24, 53, 179, 198, 130, 79, 100, 146, 88, 188, 143, 40, 66, 35, 185, 24, 33, 6, 35];

    private DecoderForCausalLM _model = null!;
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _model = (DecoderForCausalLM)PretrainedModels.Load(TestData.Reference("models/llama-rope-dynamic"));
        _generator = TextGenerator.Create(_model, Words(220));
    }

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
    }

    [Test]
    public void A_prompt_read_in_parts_is_continued_as_one_read_at_once() =>
        Assert.That(Continue(Session(), s_long), Is.EqualTo(s_afterLong));

    [Test]
    public void The_scores_after_a_prompt_read_in_parts_are_those_of_the_equations()
    {
        using Session session = _model.CreateSession(new SessionOptions { MaxLength = 400 });
        float[] scores = new PromptReader(_model, session).Read(s_long, 0, CancellationToken.None).ToArray();
        Assert.That(scores[..8], Is.EqualTo(new[] { 1.004966f, 2.263953f, -2.097129f, 0.847491f, 0.863991f, 2.632687f, -0.641774f, 1.662429f }).Within(1e-4));
    }

    [Test]
    public void A_session_reads_a_longer_text_anew([Values(10, 200)] int held)
    {
        using GenerationSession session = Session();
        Continue(session, s_long[..held]);
        Assert.That(Continue(session, s_long), Is.EqualTo(s_afterLong));
        Assert.That(Continue(session, s_long[..10]), Is.EqualTo(s_afterTen), "and a shorter one after it");
    }

    [TestCase(16, 10)]
    [TestCase(17, 0)]
    public void Up_to_max_position_embeddings_what_is_held_is_not_read_again(int length, int cached)
    {
        using GenerationSession session = Session();
        var options = new GenerationOptions { MaxNewTokens = 1, EosTokenId = [] };
        session.Generate(s_long[..10], options);
        Assert.That(session.Generate(s_long[..length], options).Usage.CachedTokens, Is.EqualTo(cached));
    }

    [Test]
    public void Guesses_do_not_change_a_text([Values(10, 300)] int length)
    {
        var options = new GenerationOptions { MaxNewTokens = 24, PromptLookupNumTokens = 8, MaxMatchingNgramSize = 1, EosTokenId = [] };
        using GenerationSession session = Session();
        int[] expected = length == 10 ? s_afterTen : s_afterLong;
        Assert.That(session.Generate(s_long[..length], options).Sequences[0].TokenIds, Is.EqualTo(expected));
    }

    [Test]
    public void A_row_has_the_angles_of_its_own_text()
    {
        using Session one = _model.CreateSession(new SessionOptions { MaxLength = 400 });
        using Session both = _model.CreateSession(new SessionOptions { BatchSize = 2, MaxLength = 400 });
        float[] alone = _model.Append(s_long.AsSpan(0, 10), [10], [0], one, ScoresOf.LastTokens).Row(0).ToArray();
        FloatTensor rows = _model.Append([.. s_long, .. s_long[..10]], [300, 10], [0, 1], both, ScoresOf.LastTokens);
        Assert.That(rows.Row(1).ToArray(), Is.EqualTo(alone).Within(1e-4));
        Assert.That(rows.Row(0)[0], Is.EqualTo(1.004966f).Within(1e-4));
    }

    // A tokenizer of as many tokens as the model has.
    private static Tokenizer Words(int count)
    {
        string vocabulary = string.Join(", ", Enumerable.Range(0, count).Select(i => $"\"t{i}\": {i}"));
        string json = $$"""{"model": {"type": "WordLevel", "unk_token": "t0", "vocab": { {{vocabulary}} } } }""";
        return Tokenizer.FromFiles(new Dictionary<string, ReadOnlyMemory<byte>> { ["tokenizer.json"] = Encoding.UTF8.GetBytes(json) });
    }

    private GenerationSession Session() => _generator.CreateSession(new SessionOptions { MaxLength = 400 });

    private static IReadOnlyList<int> Continue(GenerationSession session, int[] prompt) =>
        session.Generate(prompt, new GenerationOptions { MaxNewTokens = 24, EosTokenId = [] }).Sequences[0].TokenIds;
}
