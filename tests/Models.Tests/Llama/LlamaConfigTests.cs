using System.Text;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

public sealed class LlamaConfigTests
{
    private static T Parse<T>(string json) where T : PretrainedConfig => (T)ConfigJson.Parse(Encoding.UTF8.GetBytes(json));

    [Test]
    public void Defaults_are_those_of_transformers()
    {
        LlamaConfig llama = Parse<LlamaConfig>("""{"model_type": "llama"}""");
        Qwen2Config qwen2 = Parse<Qwen2Config>("""{"model_type": "qwen2"}""");
        Assert.Multiple(() =>
        {
            Assert.That((llama.VocabSize, llama.HiddenSize, llama.IntermediateSize, llama.NumHiddenLayers, llama.NumAttentionHeads),
                Is.EqualTo((32000, 4096, 11008, 32, 32)));
            Assert.That((llama.KeyValueHeads, llama.HeadWidth, llama.HiddenAct, llama.MaxPositionEmbeddings, llama.RmsNormEps, llama.TieWordEmbeddings),
                Is.EqualTo((32, 128, "silu", 2048, 1e-6, false)));
            Assert.That((llama.RopeTheta, llama.RopeScaling, llama.AttentionBias, llama.MlpBias, llama.BosTokenId, llama.EosTokenId[0]),
                Is.EqualTo((10000.0, (RopeScaling?)null, false, false, (int?)1, 2)));
            Assert.That((qwen2.VocabSize, qwen2.HiddenSize, qwen2.IntermediateSize, qwen2.NumHiddenLayers, qwen2.KeyValueHeads, qwen2.MaxPositionEmbeddings),
                Is.EqualTo((151936, 4096, 22016, 32, 32, 32768)));
            Assert.That((qwen2.SlidingWindow, qwen2.UseSlidingWindow, qwen2.MaxWindowLayers, qwen2.BosTokenId, qwen2.EosTokenId.Count),
                Is.EqualTo(((int?)4096, false, 28, (int?)null, 0)));
        });
    }

    [Test]
    public void End_tokens_may_be_a_list_and_rope_theta_may_be_in_rope_parameters()
    {
        LlamaConfig config = Parse<LlamaConfig>(
            """{"model_type": "llama", "eos_token_id": [128001, 128009], "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500000.0}}""");
        Assert.That((config.EosTokenId.Count, config.RopeTheta, config.Rope!.Kind, config.Rope.Factor), Is.EqualTo((2, 500000.0, "linear", (double?)2)));
    }

    [TestCase("llama")]
    [TestCase("qwen2")]
    public void Rope_scaling_and_rope_parameters_that_say_the_same_are_read_once(string family)
    {
        var config = (LlamaConfig)Parse<PretrainedConfig>($$$"""
            {"model_type": "{{{family}}}", "rope_scaling": {"type": "linear", "factor": 2}, "partial_rotary_factor": 1.0,
             "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500000}}
            """);
        Assert.That((config.Rope!.Kind, config.Rope.Factor, config.RopeTheta), Is.EqualTo(("linear", (double?)2, 500000.0)));
        var again = (LlamaConfig)ConfigJson.Parse(ConfigJson.Write(config));
        Assert.That((again.Rope!.Kind, again.Rope.Factor, again.RopeTheta), Is.EqualTo(("linear", (double?)2, 500000.0)));
    }

    [TestCase("""{"rope_scaling": {}}""", 10000)]
    [TestCase("""{"rope_parameters": {"rope_theta": 500000}}""", 500000)]
    [TestCase("""{"rope_parameters": {"rope_type": "default", "rope_theta": 500000}, "rope_theta": 500000}""", 500000)]
    public void Without_a_type_and_anything_to_scale_frequencies_are_the_usual_ones(string json, double theta)
    {
        LlamaConfig config = Parse<LlamaConfig>($$"""{"model_type": "llama", {{json[1..]}}""");
        Assert.That((config.Rope!.Kind, config.RopeTheta), Is.EqualTo(("default", theta)));
    }

    [TestCase("gpt_neox", """{"rope_scaling": {"factor": 2.0}}""", "rope_scaling.rope_type is null")]
    [TestCase("gpt_neox", """{"rope_scaling": {"type": "linear", "factor": 2, "partial_rotary_factor": 0.5}}""", "rope_scaling.partial_rotary_factor is 0.5")]
    [TestCase("gpt_neox", """{"rotary_pct": 0.25, "partial_rotary_factor": 0.5}""", "partial_rotary_factor is 0.5; the share of a head's 96 values")]
    [TestCase("gpt_neox", """{"rope_theta": 10000, "rope_scaling": {"type": "linear", "factor": 2, "rope_theta": 500000}}""", "rope_scaling.rope_theta")]
    [TestCase("gptj", """{"rope_scaling": {"type": "linear", "factor": 2}}""", "rope_scaling is an object; null")]
    [TestCase("gptj", """{"partial_rotary_factor": 0.5}""", "partial_rotary_factor is 0.5; the share of a head's 256 values that turn here, 64 of them,")]
    [TestCase("codegen", """{"rope_scaling": {"type": "linear", "factor": 2}}""", "rope_scaling is an object; null")]
    [TestCase("codegen", """{"partial_rotary_factor": 0.5}""", "partial_rotary_factor is 0.5")]
    [TestCase("gpt2", """{"rope_scaling": {"type": "linear", "factor": 2}}""", "rope_scaling is an object; null")]
    [TestCase("bert", """{"rope_scaling": {"type": "linear", "factor": 2}}""", "rope_scaling is an object; null")]
    public void Angles_that_a_family_does_not_have_are_refused_by_name(string family, string json, string message) =>
        Assert.That(() => Parse<PretrainedConfig>($$"""{"model_type": "{{family}}", {{json[1..]}}"""),
            Throws.TypeOf<ConfigException>().With.Message.Contains(message));

    [Test]
    public void The_share_of_a_head_that_turns_may_be_said_twice() => Assert.That(
        Parse<GPTNeoXConfig>("""{"model_type": "gpt_neox", "rotary_pct": 0.25, "partial_rotary_factor": 0.25}""").RotaryWidth, Is.EqualTo(24));

    [Test]
    public void What_no_family_has_is_refused_in_each()
    {
        foreach (ModelFamily family in ModelFamilies.All)
        {
            foreach (string key in (string[])["\"layer_types\": [\"sliding_attention\"]", "\"rope_parameters\": {\"full_attention\": {}}"])
                Assert.That(() => Parse<PretrainedConfig>($$"""{"model_type": "{{family.ModelType}}", {{key}}}"""),
                    Throws.TypeOf<ConfigException>().With.Message.Contains(key.Split('"')[1]), family.ModelType);
        }
    }

    [Test]
    public void A_key_that_is_null_has_the_default_of_transformers_and_a_switch_is_off()
    {
        LlamaConfig llama = Parse<LlamaConfig>(
            """{"model_type": "llama", "hidden_act": null, "rms_norm_eps": null, "rope_theta": null, "num_key_value_heads": null, "mlp_bias": null}""");
        Assert.That((llama.HiddenAct, llama.RmsNormEps, llama.RopeTheta, llama.KeyValueHeads, llama.MlpBias), Is.EqualTo(("silu", 1e-6, 10000.0, 32, false)));
        Assert.That(Parse<GPT2Config>("""{"model_type": "gpt2", "tie_word_embeddings": null}""").TieWordEmbeddings, Is.False);
        Assert.That(Parse<GPT2Config>("""{"model_type": "gpt2"}""").TieWordEmbeddings, Is.True);
    }

    [Test]
    public void Qwen2_has_32_key_value_heads_where_the_key_is_missing_and_as_many_as_of_queries_where_it_is_null()
    {
        const string heads = """{"model_type": "qwen2", "hidden_size": 256, "num_attention_heads": 64""";
        Assert.That(Parse<Qwen2Config>(heads + "}").KeyValueHeads, Is.EqualTo(32));
        Assert.That(Parse<Qwen2Config>(heads + """, "num_key_value_heads": null}""").KeyValueHeads, Is.EqualTo(64));
    }

    [TestCase("gelu_python", ActivationFunction.Gelu)]
    [TestCase("gelu_fast", ActivationFunction.GeluTanh)]
    [TestCase("gelu_accurate", ActivationFunction.GeluTanh)]
    [TestCase("swish", ActivationFunction.Silu)]
    [TestCase("quick_gelu", ActivationFunction.QuickGelu)]
    [TestCase("relu2", ActivationFunction.Relu2)]
    [TestCase("mish", ActivationFunction.Mish)]
    public void Activations_have_the_names_of_ACT2FN(string name, ActivationFunction activation) =>
        Assert.That(Parse<LlamaConfig>($$"""{"model_type": "llama", "hidden_act": "{{name}}"}""").Activation, Is.EqualTo(activation));

    [TestCase("""{"num_attention_heads": 12, "hidden_size": 48, "num_key_value_heads": 5}""", "num_key_value_heads is 5; a divisor of num_attention_heads 12")]
    [TestCase("""{"num_key_value_heads": 0}""", "num_key_value_heads is 0")]
    [TestCase("""{"hidden_size": 50}""", "hidden_size is 50; a multiple of num_attention_heads 32")]
    [TestCase("""{"head_dim": 63}""", "head_dim is 63; an even number")]
    [TestCase("""{"rope_theta": 0}""", "rope_theta is 0; a number over 1")]
    [TestCase("""{"rope_scaling": {"rope_type": "longrope", "factor": 2}}""",
        "rope_scaling.rope_type is \"longrope\"; default, linear, dynamic, yarn or llama3")]
    [TestCase("""{"rope_scaling": {"type": "linear"}}""", "rope_scaling.factor is null; a number of at least 1")]
    [TestCase("""{"rope_scaling": {"type": "linear", "factor": 0.5}}""", "rope_scaling.factor is 0.5")]
    [TestCase("""{"rope_scaling": {"type": "yarn", "factor": 4, "mscale": 1}}""", "rope_scaling.mscale is 1; yarn without it")]
    [TestCase("""{"rope_scaling": {"type": "yarn", "factor": 4, "attention_factor": -1}}""", "rope_scaling.attention_factor is -1")]
    [TestCase("""{"rope_scaling": {"type": "yarn", "factor": 4, "beta_fast": 0.5}}""", "rope_scaling.beta_fast is 0.5; at least beta_slow (1)")]
    [TestCase("""{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}}""",
        "original_max_position_embeddings is null")]
    [TestCase("""{"rope_scaling": {"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 64, "low_freq_factor": 4, "high_freq_factor": 1}}""",
        "high_freq_factor is 1; a number over low_freq_factor (4) is needed")]
    [TestCase("""{"rope_scaling": {"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 64, "high_freq_factor": 4}}""",
        "rope_scaling.low_freq_factor is null; a number over 0 is needed")]
    [TestCase("""{"rope_scaling": {"factor": 2.0}}""", "rope_scaling.rope_type is null; default, linear, dynamic, yarn or llama3 is needed")]
    [TestCase("""{"rope_parameters": {"factor": 2.0, "rope_theta": 500000}}""", "rope_parameters.rope_type is null; default, linear")]
    [TestCase("""{"rope_scaling": {"rope_type": "linear", "type": "dynamic", "factor": 2}}""",
        "rope_scaling.rope_type is \"linear\" and type \"dynamic\"; one kind, or the same in both,")]
    [TestCase("""{"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_type": "dynamic", "factor": 2}}""",
        "rope_parameters is dynamic, and rope_scaling is linear")]
    [TestCase("""{"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_type": "linear", "factor": 4}}""", "the same in both")]
    [TestCase("""{"rope_theta": 10000, "rope_parameters": {"rope_theta": 500000}}""",
        "rope_parameters.rope_theta is 500000; the same as rope_theta (10000) is needed")]
    [TestCase("""{"rope_theta": 10000, "rope_scaling": {"type": "linear", "factor": 2, "rope_theta": 500000}}""", "rope_scaling.rope_theta is 500000")]
    [TestCase("""{"partial_rotary_factor": 0.5}""", "partial_rotary_factor is 0.5; the share of a head's 128 values that turn here, 128 of them,")]
    [TestCase("""{"hidden_act": "laplace"}""", "hidden_act is \"laplace\"; known are gelu (gelu_python)")]
    [TestCase("""{"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2}}}""",
        "rope_parameters.full_attention is an object; the same for all layers")]
    [TestCase("""{"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}""",
        "rope_parameters.partial_rotary_factor is 0.5; default without it")]
    [TestCase("""{"rope_scaling": {"type": "default", "mrope_section": [1, 2, 3]}}""", "rope_scaling.mrope_section is [1, 2, 3]; default without it")]
    [TestCase("""{"rope_scaling": {"type": "yarn", "factor": 4, "truncate": false}}""", "rope_scaling.truncate is false; yarn without it")]
    [TestCase("""{"layer_types": [1]}""", "layer_types is a list with 1 in it; full_attention for every layer")]
    [TestCase("""{"layer_types": "full_attention"}""", "layer_types is \"full_attention\"; a list with full_attention for every layer")]
    [TestCase("""{"layer_types": ["full_attention", "sliding_attention"]}""", "layer_types is a list with \"sliding_attention\" in it")]
    [TestCase("""{"quantization_config": {"quant_method": "gptq", "bits": 4}}""", "quantization_config is an object; a checkpoint without it")]
    [TestCase("""{"num_local_experts": 8}""", "num_local_experts is 8; a model without experts")]
    [TestCase("""{"vision_config": {"depth": 32}}""", "vision_config is an object; a model of text alone")]
    [TestCase("""{"hidden_act": "laplace"}""", "hidden_act is \"laplace\"")]
    public void What_is_impossible_or_not_supported_is_refused_by_name(string json, string message)
    {
        foreach (string family in (string[])["llama", "qwen2"])
            Assert.That(() => ConfigJson.Parse(Encoding.UTF8.GetBytes($$"""{"model_type": "{{family}}", {{json[1..]}}""")),
                Throws.TypeOf<ConfigException>().With.Message.Contains($"config.json ({family}): ").And.Message.Contains(message));
    }

    [Test]
    public void A_sliding_window_counts_only_where_it_is_switched_on_and_is_refused_then()
    {
        Assert.That(Parse<Qwen2Config>("""{"model_type": "qwen2", "sliding_window": 9, "max_window_layers": 1}""").SlidingWindow, Is.EqualTo(9));
        Assert.That(Parse<Qwen2Config>("""{"model_type": "qwen2", "use_sliding_window": true, "sliding_window": null}""").UseSlidingWindow, Is.True);
        Assert.That(() => Parse<Qwen2Config>("""{"model_type": "qwen2", "use_sliding_window": true}"""),
            Throws.TypeOf<ConfigException>().With.Message.Contains("use_sliding_window is true with sliding_window 4096; full attention"));
    }

    [Test]
    public void A_text_may_be_longer_than_max_position_embeddings_where_the_session_is()
    {
        using LlamaForCausalLM model = PretrainedModels.FromConfig<LlamaForCausalLM>(new LlamaConfig
        {
            VocabSize = 20, HiddenSize = 8, IntermediateSize = 12, NumHiddenLayers = 1, NumAttentionHeads = 2, MaxPositionEmbeddings = 4,
        });
        int[] ids = [1, 2, 3, 4, 5, 6];
        using Session usual = model.CreateSession(), longer = model.CreateSession(new SessionOptions { MaxLength = 6 });
        Assert.That((usual.Cache!.MaxLength, model.Forward(ids, longer).Logits.Shape[1]), Is.EqualTo((4, 6)));
        Assert.That(() => model.Forward(ids, usual), Throws.TypeOf<ModelInputException>().With.Message.Contains("holds at most 4 (SessionOptions.MaxLength)"));
    }

    [Test]
    public void Keys_and_values_are_stored_once_per_head_of_keys()
    {
        using Qwen2ForCausalLM model = PretrainedModels.FromConfig<Qwen2ForCausalLM>(new Qwen2Config
        {
            VocabSize = 20, HiddenSize = 24, IntermediateSize = 12, NumHiddenLayers = 1, NumAttentionHeads = 6, NumKeyValueHeads = 2, MaxPositionEmbeddings = 8,
        });
        using Session session = model.CreateSession();
        model.Forward([1, 2, 3], session);
        Assert.That(session.Cache!.Keys(0).Shape.ToArray(), Is.EqualTo(new[] { 1, 2, 3, 4 }));
    }
}
