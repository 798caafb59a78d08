namespace ManagedTransformers.Models.Tests;

/// <summary>TransformerLens's names of the families, in small models with random weights.</summary>
public sealed class FamilyLensNameTests
{
    private const string AttentionNames = "attn.hook_attn_scores attn.hook_k attn.hook_pattern attn.hook_q attn.hook_result";
    private const string PlainNames =
        $"{AttentionNames} attn.hook_v attn.hook_z hook_attn_out hook_mlp_out hook_resid_post hook_resid_pre mlp.hook_post mlp.hook_pre";
    private const string RotaryNames =
        $"{AttentionNames} attn.hook_rot_k attn.hook_rot_q attn.hook_v attn.hook_z hook_attn_out hook_mlp_out hook_resid_post hook_resid_pre";
    private static readonly int[] s_prompt = [5, 17, 3, 22, 9, 30, 11];
    private static readonly string[] s_decoders =
        ["gpt2", "gptj", "gpt_neox", "gpt_neox in sequence", "gpt_bigcode", "gpt_bigcode multi_query", "llama", "qwen2"];

    [TestCase("gpt2", "hook_embed", PlainNames)]
    [TestCase("gpt_bigcode", "hook_embed", PlainNames)]
    [TestCase("gptj", "hook_embed", $"{RotaryNames} mlp.hook_post mlp.hook_pre")]
    [TestCase("gpt_neox", "hook_embed", $"{RotaryNames} mlp.hook_post mlp.hook_pre")]
    [TestCase("llama", "hook_embed", $"{RotaryNames} mlp.hook_pre mlp.hook_pre_linear")]
    [TestCase("qwen2", "hook_embed", $"{RotaryNames} mlp.hook_pre mlp.hook_pre_linear")]
    [TestCase("mpnet", "hook_full_embed",
        $"{AttentionNames} attn.hook_v attn.hook_z hook_attn_out hook_mlp_out hook_normalized_resid_post hook_resid_pre mlp.hook_post mlp.hook_pre")]
    public void A_family_has_these(string family, string embeddings, string block)
    {
        using PretrainedModel model = Model(family);
        Assert.That(model.TransformerLensNames.Keys.Where(name => !name.StartsWith("blocks.", StringComparison.Ordinal)), Is.EqualTo(new[] { embeddings }));
        Assert.That(model.TransformerLensNames.Keys.Where(name => name.StartsWith("blocks.1.", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
            Is.EqualTo(block.Split(' ').Select(name => $"blocks.1.{name}")));
    }

    [Test]
    public void A_block_adds_what_attention_and_MLP_put_out([ValueSource(nameof(s_decoders))] string family)
    {
        TracedPass pass = Run(family, "blocks.1.hook_*");
        float[] Values(string name) => pass[$"blocks.1.{name}"].ToArray();
        float[] before = Values("hook_resid_pre"), attention = Values("hook_attn_out"), mlp = Values("hook_mlp_out");
        Assert.That(Values("hook_resid_post"), Is.EqualTo(before.Select((x, i) => x + attention[i] + mlp[i])).Within(1e-5));
    }

    [Test]
    public void Scores_are_the_products_of_queries_and_keys_by_the_root_of_the_width_of_a_head([ValueSource(nameof(s_decoders))] string family)
    {
        string turned = family.StartsWith("gpt2", StringComparison.Ordinal) || family.StartsWith("gpt_bigcode", StringComparison.Ordinal) ? "" : "rot_";
        TracedPass pass = Run(family, $"blocks.1.attn.hook_{turned}q", $"blocks.1.attn.hook_{turned}k", "blocks.1.attn.hook_attn_scores");
        FloatTensor q = pass[$"blocks.1.attn.hook_{turned}q"], k = pass[$"blocks.1.attn.hook_{turned}k"], scores = pass["blocks.1.attn.hook_attn_scores"];
        int keyHeads = family switch { "gpt_bigcode multi_query" => 1, "llama" or "qwen2" => 2, _ => 4 };
        Assert.That((q.Shape.ToArray(), k.Shape.ToArray()), Is.EqualTo((new[] { 1, 7, 4, 8 }, new[] { 1, 7, keyHeads, 8 })));
        for (int head = 0; head < 4; head++)
        {
            for (int to = 0; to < 7; to++)
            {
                for (int from = 0; from <= to; from++)
                {
                    double sum = 0;
                    for (int i = 0; i < 8; i++) sum += (double)q[0, to, head, i] * k[0, from, head * keyHeads / 4, i];
                    Assert.That(scores[0, head, to, from], Is.EqualTo(sum / Math.Sqrt(8)).Within(1e-5));
                }
            }
        }
    }

    [TestCase("gptj", 4)]
    [TestCase("gpt_neox", 2)]
    [TestCase("llama", 8)]
    [TestCase("qwen2", 8)]
    public void Queries_and_keys_of_rotary_families_are_those_before_the_rotation(string family, int rotated)
    {
        TracedPass pass = Run(family, "blocks.1.attn.*");
        foreach (string part in new[] { "q", "k" })
        {
            FloatTensor before = pass[$"blocks.1.attn.hook_{part}"], after = pass[$"blocks.1.attn.hook_rot_{part}"];
            Assert.That(after.Shape.ToArray(), Is.EqualTo(before.Shape.ToArray()));
            int heads = before.Shape[2];
            for (int row = 0; row < 7 * heads; row++)
            {
                float[] unturned = [.. before.Row(row)], turned = [.. after.Row(row)];
                Assert.That(turned[rotated..], Is.EqualTo(unturned[rotated..]));
                Assert.That(turned[..rotated], row < heads ? Is.EqualTo(unturned[..rotated]) : Is.Not.EqualTo(unturned[..rotated]), "position 0 is not turned");
            }
        }
    }

    [Test]
    public void Heads_mix_values_by_the_pattern([ValueSource(nameof(s_decoders))] string family)
    {
        TracedPass pass = Run(family, "blocks.1.attn.hook_pattern", "blocks.1.attn.hook_v", "blocks.1.attn.hook_z");
        FloatTensor pattern = pass["blocks.1.attn.hook_pattern"], v = pass["blocks.1.attn.hook_v"], z = pass["blocks.1.attn.hook_z"];
        int valueHeads = v.Shape[2];
        for (int head = 0; head < 4; head++)
        {
            for (int i = 0; i < 8; i++)
            {
                double mixed = Enumerable.Range(0, 7).Sum(from => (double)pattern[0, head, 6, from] * v[0, from, head * valueHeads / 4, i]);
                Assert.That(z[0, 6, head, i], Is.EqualTo(mixed).Within(1e-5));
            }
        }
    }

    [TestCase("hook_full_embed", "mpnet.embeddings")]
    [TestCase("blocks.1.attn.hook_q", "mpnet.encoder.layer.1.attention.attn.q")]
    [TestCase("blocks.1.attn.hook_k", "mpnet.encoder.layer.1.attention.attn.k")]
    [TestCase("blocks.1.attn.hook_v", "mpnet.encoder.layer.1.attention.attn.v")]
    [TestCase("blocks.1.hook_attn_out", "mpnet.encoder.layer.1.attention.attn.o")]
    [TestCase("blocks.1.mlp.hook_pre", "mpnet.encoder.layer.1.intermediate.dense")]
    [TestCase("blocks.1.mlp.hook_post", "mpnet.encoder.layer.1.intermediate")]
    [TestCase("blocks.1.hook_normalized_resid_post", "mpnet.encoder.layer.1")]
    public void MPNet_has_the_names_of_BERT(string lens, string own)
    {
        TracedPass pass = Run("mpnet", lens, own);
        Assert.That(pass[lens].ToArray(), Is.EqualTo(pass[own].ToArray()));
    }

    [Test]
    public void An_intervention_on_the_queries_of_GPT_NeoX_changes_them_alone()
    {
        using PretrainedModel model = Model("gpt_neox");
        float[] Logits(Intervention change)
        {
            using Session session = model.CreateSession();
            using ActivationTrace trace = session.Trace(new TraceOptions { Names = [], Interventions = [change] });
            return ((LogitsOutput)model.Forward(ModelInputs.Of(s_prompt), session)).Logits.ToArray();
        }
        Assert.That(Logits(new Intervention("blocks.1.attn.hook_q", q => q.Span.Clear())),
            Is.EqualTo(Logits(new Intervention("gpt_neox.layers.1.attention.query", q => q.Span.Clear()))));
    }

    [TestCase("gpt2", "blocks.0.hook_resid_mid")]
    [TestCase("gpt2", "blocks.0.attn.hook_rot_q")]
    [TestCase("llama", "blocks.0.mlp.hook_post")]
    [TestCase("mpnet", "blocks.0.hook_resid_post")]
    public void What_a_family_does_not_have_is_refused(string family, string name)
    {
        using PretrainedModel model = Model(family);
        using Session session = model.CreateSession();
        Assert.That(() => session.Trace(name), Throws.TypeOf<TraceException>().With.Message.Contains($"has no activation that matches {name}"));
    }

    private static TracedPass Run(string family, params string[] names)
    {
        using PretrainedModel model = Model(family);
        using Session session = model.CreateSession();
        using ActivationTrace trace = session.Trace(names);
        model.Forward(ModelInputs.Of(s_prompt), session);
        return trace.Passes[0];
    }

    /// <summary>Two layers of four heads that are eight wide.</summary>
    private static PretrainedModel Model(string family) => family switch
    {
        "gpt2" => PretrainedModels.FromConfig<GPT2LMHeadModel>(
            new GPT2Config { VocabSize = 40, NEmbd = 32, NLayer = 2, NHead = 4, NPositions = 32, InitializerRange = 0.2 }, seed: 3),
        "gptj" => PretrainedModels.FromConfig<GPTJForCausalLM>(
            new GPTJConfig { VocabSize = 40, NEmbd = 32, NLayer = 2, NHead = 4, RotaryDim = 4, NPositions = 32, InitializerRange = 0.2 }, seed: 3),
        "gpt_neox" or "gpt_neox in sequence" => PretrainedModels.FromConfig<GPTNeoXForCausalLM>(new GPTNeoXConfig
        {
            VocabSize = 40, HiddenSize = 32, IntermediateSize = 48, NumHiddenLayers = 2, NumAttentionHeads = 4, MaxPositionEmbeddings = 32,
            UseParallelResidual = family == "gpt_neox", InitializerRange = 0.2,
        }, seed: 3),
        "gpt_bigcode" or "gpt_bigcode multi_query" => PretrainedModels.FromConfig<GPTBigCodeForCausalLM>(new GPTBigCodeConfig
        {
            VocabSize = 40, NEmbd = 32, NLayer = 2, NHead = 4, NPositions = 32, MultiQuery = family != "gpt_bigcode", InitializerRange = 0.2,
        }, seed: 3),
        "llama" => PretrainedModels.FromConfig<LlamaForCausalLM>(Sized(new LlamaConfig()), seed: 3),
        "qwen2" => PretrainedModels.FromConfig<Qwen2ForCausalLM>(Sized(new Qwen2Config()), seed: 3),
        _ => PretrainedModels.FromConfig<MPNetForMaskedLM>(new MPNetConfig
        {
            VocabSize = 40, HiddenSize = 32, IntermediateSize = 48, NumHiddenLayers = 2, NumAttentionHeads = 4, MaxPositionEmbeddings = 32,
            InitializerRange = 0.2,
        }, seed: 3),
    };

    private static T Sized<T>(T config)
        where T : LlamaConfig => config with
        {
            VocabSize = 40, HiddenSize = 32, IntermediateSize = 48, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2,
            MaxPositionEmbeddings = 32, InitializerRange = 0.2,
        };
}
