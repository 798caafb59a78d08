using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What generation promises of every decoder, whatever its family.</summary>
public sealed class DecoderTests
{
    private static readonly int[] s_prompt = [7, 3, 9, 7, 3, 9, 7, 3];

    private static IEnumerable<TestCaseData> Rows()
    {
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllBytes(TestData.Reference("generation-qwen2/cases.json")));
        foreach (JsonElement row in cases.RootElement.Clone().EnumerateArray())
            yield return new TestCaseData(row).SetArgDisplayNames(row.GetProperty("name").GetString()!);
    }

    /// <summary>A small model of each family that has heads in groups, angles in halves or positions of its own.</summary>
    private static IEnumerable<PretrainedConfig> Configs() =>
    [
        new LlamaConfig
        {
            VocabSize = 40, HiddenSize = 64, IntermediateSize = 128, NumHiddenLayers = 2, NumAttentionHeads = 6, NumKeyValueHeads = 2, HeadDim = 16,
            MaxPositionEmbeddings = 48, InitializerRange = 0.3, EosTokenId = [],
        },
        new Qwen2Config
        {
            VocabSize = 40, HiddenSize = 64, IntermediateSize = 128, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2,
            MaxPositionEmbeddings = 48, InitializerRange = 0.3, TieWordEmbeddings = true,
        },
        new GPTNeoXConfig
        {
            VocabSize = 40, HiddenSize = 64, IntermediateSize = 128, NumHiddenLayers = 2, NumAttentionHeads = 4, MaxPositionEmbeddings = 48,
            InitializerRange = 0.3, EosTokenId = [],
        },
        new GPTBigCodeConfig { VocabSize = 40, NEmbd = 64, NLayer = 2, NHead = 4, NPositions = 48, InitializerRange = 0.3, EosTokenId = [] },
        new GPTBigCodeConfig
        {
            VocabSize = 40, NEmbd = 64, NLayer = 2, NHead = 4, NPositions = 48, InitializerRange = 0.3, EosTokenId = [], MultiQuery = false,
        },
    ];

    [TestCaseSource(nameof(Rows))]
    public void Sequences_and_scores_of_Qwen2_equal_the_reference(JsonElement row)
    {
        using var model = PretrainedModels.Load<ICausalLM>(TestData.Reference("generation-qwen2"));
        GenerationOptions options = GenerationOptions.FromJson(row.GetProperty("options"), "options");
        int[][] ids = Numbers(row, "input_ids"), expected = Numbers(row, "sequences");
        GenerationOutput output = model.GenerateBatch(ids, Numbers(row, "attention_mask"), options);
        IReadOnlyList<int> ends = options.EosTokenId ?? model.Config.EosTokenId;
        int pad = options.PadTokenId ?? model.Config.PadTokenId ?? (ends.Count > 0 ? ends[0] : 0);
        Assert.That(PaddedPrompts.Sequences(ids, output, pad), Is.EqualTo(expected));
        if (row.TryGetProperty("sequences_scores", out JsonElement scores))
            Assert.That(output.Sequences.Select(one => one.Score), Is.EqualTo(scores.EnumerateArray().Select(score => score.GetDouble())).Within(1e-4));
    }

    [Test]
    public void There_are_11_rows_of_Qwen2() => Assert.That(Rows().Count(), Is.EqualTo(11));

    [TestCaseSource(nameof(Configs))]
    public void A_prompt_in_a_batch_or_with_drafts_gives_the_text_of_the_prompt_alone(PretrainedConfig config)
    {
        using var model = PretrainedModels.FromConfig<ICausalLM>(config, seed: 5);
        var options = new GenerationOptions { MaxNewTokens = 20, EosTokenId = [] };
        int[] alone = model.Generate([s_prompt], options)[0];
        Assert.That(model.Generate([[1, 2], s_prompt, [5, 6, 7]], options)[1], Is.EqualTo(alone), "batch");
        Assert.That(model.Generate([s_prompt], options with { PromptLookupNumTokens = 5 })[0], Is.EqualTo(alone), "prompt lookup");
    }

    [TestCaseSource(nameof(Configs))]
    public void A_text_in_parts_has_the_scores_of_the_whole(PretrainedConfig config)
    {
        using var model = PretrainedModels.FromConfig<ICausalLM>(config, seed: 5);
        using Session whole = model.CreateSession(), parts = model.CreateSession(new SessionOptions { BatchSize = 2 });
        float[] expected = model.Forward(s_prompt, whole).Logits.ToArray();
        model.Append([9, .. s_prompt[..3]], [1, 3], [0, 1], parts, ScoresOf.None);                       // another text beside it
        model.Append(s_prompt.AsSpan(3..6), [3], [1], parts, ScoresOf.None);
        parts.Cache!.Copy(parts.Cache, from: 1, to: 0);
        float[] last = model.Append(s_prompt.AsSpan(6..), [2], [0], parts, ScoresOf.AllTokens).ToArray();
        Assert.That(last, Is.EqualTo(expected[^last.Length..]).Within(1e-4));
    }

    [TestCaseSource(nameof(Configs))]
    public void Integers_of_8_and_4_bits_run_and_leave_a_tied_head_as_it_is(PretrainedConfig config)
    {
        using var exact = PretrainedModels.FromConfig<ICausalLM>(config, seed: 5);
        foreach ((WeightFormat format, double within) in ((WeightFormat, double)[])[(WeightFormat.Int8, 0.1), (WeightFormat.Int4, 1)])
        {
            using var model = PretrainedModels.FromConfig<ICausalLM>(config, seed: 5, new LoadOptions { WeightFormat = format, QuantizeHead = true });
            using Session session = model.CreateSession(), other = exact.CreateSession();
            float[] found = model.Forward(s_prompt, session).Logits.ToArray(), expected = exact.Forward(s_prompt, other).Logits.ToArray();
            Assert.That(found, Is.Not.EqualTo(expected));
            double magnitude = expected.Max(Math.Abs);
            Assert.That(found.Zip(expected, (a, b) => Math.Abs(a - b)).Max() / magnitude, Is.LessThan(within), $"{format}");
        }
    }

    [TestCaseSource(nameof(Configs))]
    public void A_prompt_padded_on_the_left_has_the_scores_of_the_prompt_alone(PretrainedConfig config)
    {
        using var model = PretrainedModels.FromConfig<ICausalLM>(config, seed: 5);
        using Session alone = model.CreateSession(), padded = model.CreateSession();
        float[] expected = model.Forward(s_prompt, alone).Logits.ToArray();
        int[] mask = [0, 0, 0, .. s_prompt.Select(_ => 1)], positions = [0, 0, 0, .. Enumerable.Range(0, s_prompt.Length)];
        var inputs = new ModelInputs(1, mask.Length) { InputIds = [0, 0, 0, .. s_prompt], AttentionMask = mask, PositionIds = positions };
        float[] found = model.Forward(inputs, padded).Logits.ToArray();
        Assert.That(found[(3 * config.VocabSize)..], Is.EqualTo(expected).Within(1e-5));
    }

    private static int[][] Numbers(JsonElement row, string name) =>
        [.. row.GetProperty(name).EnumerateArray().Select(list => list.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
}
