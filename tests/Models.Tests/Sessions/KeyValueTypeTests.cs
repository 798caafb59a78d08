using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>Keys and values in fp16 or bf16: what is rounded, by how much the scores move, and that nothing else does.</summary>
[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class KeyValueTypeTests(string family)
{
    private static readonly int[] s_tokens = [5, 17, 3, 22, 9, 30, 11, 2, 8, 14, 3, 7, 21, 19, 1, 33, 6, 25, 10, 39];
    private DecoderForCausalLM _model = null!;

    [OneTimeSetUp]
    public void Load() => _model = DecoderFamilies.Model(family);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    // What was measured with these weights, in F16 (11 significant bits) and BF16 (8). A step coarser would be twice that.
    private static readonly Dictionary<string, (double F16, double BF16)> s_measured = new()
    {
        ["codegen"] = (5.0e-4, 7.1e-3), ["gpt2"] = (2.8e-3, 7.3e-3), ["gptj"] = (6.7e-4, 6.9e-3), ["gpt_neox"] = (1.0e-3, 1.1e-2),
        ["gpt_bigcode"] = (6.8e-4, 1.0e-2), ["llama"] = (2.9e-3, 3.2e-2), ["qwen2"] = (4.1e-3, 3.1e-2),
    };

    [Test]
    public void Scores_move_by_no_more_than_the_rounding_explains([Values(WeightType.F16, WeightType.BF16)] WeightType type)
    {
        using Session exact = _model.CreateSession(), rounded = Session(type);
        double together = Distance(_model.Forward(s_tokens, rounded).Logits.Span, _model.Forward(s_tokens, exact).Logits.Span);
        rounded.Cache!.Clear();
        exact.Cache!.Clear();
        double largest = 0, tolerance = 1.8 * (type == WeightType.F16 ? s_measured[family].F16 : s_measured[family].BF16);
        foreach (int token in s_tokens)
            largest = Math.Max(largest, Distance(Next(rounded, 0, [token]), Next(exact, 0, [token])));
        Assert.That(together, Is.InRange(1e-6, tolerance));
        Assert.That(largest, Is.InRange(1e-6, tolerance));
    }

    [Test]
    public void Keys_and_values_are_those_of_float32_rounded_and_come_back_as_they_are([Values(WeightType.F16, WeightType.BF16)] WeightType type)
    {
        using Session exact = _model.CreateSession(), rounded = Session(type), loaded = Session(type);
        Next(exact, 0, s_tokens);
        Next(rounded, 0, s_tokens);
        float[] keys = exact.Cache!.Keys(0).ToArray(), stored = rounded.Cache!.Keys(0).ToArray();
        Assert.That(stored, Is.EqualTo(keys.Select(key => Rounded(key, type))), "of the first layer, before which nothing is rounded");
        Assert.That(stored, Is.Not.EqualTo(keys));
        loaded.Cache!.Load([.. Enumerable.Range(0, 3).Select(layer => (rounded.Cache.Keys(layer), rounded.Cache.Values(layer)))]);
        Assert.That(loaded.Cache.Values(2).ToArray(), Is.EqualTo(rounded.Cache.Values(2).ToArray()));
        Assert.That(Next(loaded, 0, [4]), Is.EqualTo(Next(rounded, 0, [4])));
    }

    [Test]
    public void Copies_and_reordered_sequences_go_on_to_the_bit([Values(WeightType.F16, WeightType.BF16)] WeightType type)
    {
        using Session session = Session(type, 3), exact = _model.CreateSession();
        Next(session, 0, s_tokens[..5]);
        Next(session, 1, s_tokens[5..]);
        session.Cache!.Copy(session.Cache, 0, 2);
        session.Cache.Reorder([1, 0, 1]);
        foreach ((int sequence, int[] held) in new[] { (0, s_tokens[5..]), (1, s_tokens[..5]), (2, s_tokens[5..]) })
        {
            using Session alone = Session(type);
            Next(alone, 0, held);
            Assert.That(Next(session, sequence, [4, 8]), Is.EqualTo(Next(alone, 0, [4, 8])));
        }
        Assert.That(() => exact.Cache!.Copy(session.Cache, 0, 0), Throws.ArgumentException.With.Message.Contains($"in {type}").And.Message.Contains("in F32"));
    }

    [Test]
    public void A_saved_sequence_fits_sessions_of_its_type_only([Values(WeightType.F16, WeightType.BF16)] WeightType type)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"saved-{family}-{type}.safetensors");
        using Session session = Session(type), same = Session(type), other = _model.CreateSession();
        Next(session, 0, s_tokens);
        SavedSequence.Write(path, session, 0, s_tokens);
        Next(same, 0, [1]);
        Assert.That(SavedSequence.Read(path, same, 0), Is.EqualTo(s_tokens));
        Assert.That(Next(same, 0, [4]), Is.EqualTo(Next(session, 0, [4])));
        Next(other, 0, [1, 2]);
        Assert.That(() => SavedSequence.Read(path, other, 0), Throws.TypeOf<CheckpointException>().With.Message.Contains("KeyValueType"));
        Assert.That(other.Cache!.Length(0), Is.EqualTo(2), "nothing is lost");
    }

    [Test]
    public void Columns_are_those_of_what_is_held_after_a_load_and_a_reorder()
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"columns-{family}.safetensors");
        using Session brief = _model.CreateSession(), longer = _model.CreateSession(new SessionOptions { BatchSize = 2 });
        Next(brief, 0, [5, 17]);
        SavedSequence.Write(path, brief, 0, [5, 17]);
        Next(longer, 0, s_tokens);
        SavedSequence.Read(path, longer, 0);
        Assert.That(longer.Cache!.Columns, Is.EqualTo(2));
        Next(longer, 1, s_tokens);
        longer.Cache.Reorder([0, 0]);
        Assert.That(longer.Cache.Columns, Is.EqualTo(2));
    }

    private Session Session(WeightType type, int batchSize = 1) => _model.CreateSession(new SessionOptions { KeyValueType = type, BatchSize = batchSize });

    private float[] Next(Session session, int sequence, int[] tokens) =>
        _model.Append(tokens, [tokens.Length], [sequence], session, ScoresOf.AllTokens).ToArray();

    // The greatest difference, over the greatest score.
    private static double Distance(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        (double difference, double greatest) = (0, 0);
        for (int i = 0; i < expected.Length; i++)
        {
            difference = Math.Max(difference, Math.Abs(found[i] - expected[i]));
            greatest = Math.Max(greatest, Math.Abs(expected[i]));
        }
        return difference / greatest;
    }

    private static float Rounded(float value, WeightType type)
    {
        if (type == WeightType.F16)
            return (float)(Half)value;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
