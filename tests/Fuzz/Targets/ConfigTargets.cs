using ManagedTransformers.Models;

namespace ManagedTransformers.Fuzz;

/// <summary>What files beside weights and tokenizers say: configurations, generation, modules.</summary>
internal static class ConfigTargets
{
    private static readonly JsonMutator s_config = new(
        "model_type", "architectures", "vocab_size", "hidden_size", "n_embd", "num_hidden_layers", "n_layer", "num_attention_heads", "n_head", "n_inner",
        "intermediate_size", "max_position_embeddings", "n_positions", "n_ctx", "type_vocab_size", "num_key_value_heads", "head_dim", "rotary_dim",
        "rope_scaling", "rope_theta", "rope_parameters", "rope_type", "factor", "yarn", "llama3", "linear", "dynamic", "original_max_position_embeddings",
        "partial_rotary_factor", "rotary_pct", "id2label", "label2id", "num_labels", "problem_type", "pad_token_id", "bos_token_id", "eos_token_id",
        "hidden_act", "activation_function", "gelu", "gelu_new", "relu", "layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps", "tie_word_embeddings",
        "layer_types", "full_attention", "quantization_config", "num_experts", "multi_query", "use_parallel_residual", "relative_attention_num_buckets",
        "position_embedding_type", "sliding_window", "use_sliding_window", "attention_bias", "mlp_bias", "torch_dtype", "mp_num", "bert", "roberta",
        "xlm-roberta", "camembert", "distilbert", "mpnet", "codegen", "gpt2", "gptj", "gpt_neox", "gpt_bigcode", "llama", "qwen2",
        "BertForMaskedLM", "RobertaModel", "LlamaForCausalLM", "GPT2LMHeadModel", "GPTNeoXForCausalLM");

    private static readonly JsonMutator s_generation = new([.. GenerationOption.All.Select(option => option.Name), .. UnsupportedOptions.Names]);

    private static readonly JsonMutator s_sentence = new(
        "type", "path", "kwargs", "idx", "name", "sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling",
        "sentence_transformers.models.Dense", "sentence_transformers.models.LayerNorm", "sentence_transformers.models.Normalize",
        "sentence_transformers.models.Dropout", "1_Pooling", "2_Dense", "pooling_mode", "cls", "mean", "max", "lasttoken", "weightedmean",
        "pooling_mode_cls_token", "pooling_mode_mean_tokens", "pooling_mode_max_tokens", "pooling_mode_lasttoken", "word_embedding_dimension",
        "embedding_dimension", "include_prompt", "in_features", "out_features", "bias", "activation_function", "torch.nn.modules.activation.Tanh",
        "torch.nn.modules.linear.Identity", "use_residual", "dimension", "prompts", "default_prompt_name", "similarity_fn_name", "cosine", "dot",
        "euclidean", "truncate_dim", "max_seq_length", "do_lower_case", "transformer_task", "modality_config", "method", "forward", "__version__");

    private static readonly SafetensorsMutator s_weights = new(new JsonMutator());

    private static readonly PretrainedConfig s_gpt2 = ConfigJson.Parse(Seeds.Of("reference", "models", "gpt2-lm", "config.json"));

    public static IEnumerable<FuzzTarget> All =>
    [
        new("config", s_config, Configs, ReadConfig),
        new("model", new BundleMutator(name => name == ConfigJson.FileName ? s_config : s_weights),
            () => TinyModels.Directories.Value.Select(TinyModels.Files), ReadModel) { ShortRun = 800 },
        new("generation-config", s_generation, () => [.. Seeds.Named("generation_config.json"), .. GenerationSeeds()], ReadGeneration),
        new("sentence-modules", new BundleMutator(name => name.EndsWith(".json", StringComparison.Ordinal) ? s_sentence : s_weights), Modules, ReadModules),
        new("saved-session", new SafetensorsMutator(new JsonMutator()), () => [SavedSession.Seed()], SavedSession.Read) { ShortRun = 1000 },
    ];

    private static IEnumerable<byte[]> Configs() =>
        Seeds.Named("config.json", 4096, "reference", "models").Concat(Seeds.Named("config.json", 4096, "published"));

    private static IEnumerable<byte[]> GenerationSeeds()
    {
        yield return Seeds.Utf8("""{"max_new_tokens":20,"do_sample":true,"temperature":0.8,"top_k":50,"top_p":0.9,"eos_token_id":[1,2],"num_beams":4}""");
        yield return Seeds.Utf8("""{"bad_words_ids":[[1,2],[3]],"suppress_tokens":[4],"sequence_bias":[[[1],2.5]],"stop_strings":["a"],"seed":7}""");
        foreach (GenerationOption option in GenerationOption.All)
            yield return Seeds.Utf8($$"""{"{{option.Name}}":1}""");
    }

    private static IEnumerable<byte[]> Modules()
    {
        static bool IsPart(string name) => name.Contains('/', StringComparison.Ordinal) || name is "modules.json" or "config_sentence_transformers.json"
            || name.StartsWith("sentence_", StringComparison.Ordinal);
        foreach (string folder in new[] { "cases", "published" })
        {
            string[] paths = Directory.GetFiles(Path.Combine(Seeds.Data, folder), "modules.json", SearchOption.AllDirectories);
            foreach (string path in paths.Order(StringComparer.Ordinal))
                yield return Seeds.Folder(Path.GetRelativePath(Seeds.Data, Path.GetDirectoryName(path)!), IsPart);
        }
    }

    private static void ReadConfig(byte[] input)
    {
        PretrainedConfig config = ConfigJson.Parse(input);
        byte[] written = ConfigJson.Write(config);
        byte[] again = ConfigJson.Write(ConfigJson.Parse(written));
        Oracle.Require(written.AsSpan().SequenceEqual(again), "What was written is written otherwise when it was read");
    }

    private static void ReadModel(byte[] input)
    {
        using PretrainedModel model = PretrainedModels.FromBytes(Bundle.Files(input), new LoadOptions { Kernels = new() { MaxThreads = 1 } });
        Oracle.Require(model.Config.Layers > 0, "A model has no layers");
    }

    private static void ReadGeneration(byte[] input)
    {
        GenerationDefaults defaults = GenerationDefaults.Of(input, s_gpt2, tokenizer: null);
        Oracle.Require(defaults.Options is not null, "There are no options");
        GenerationOptions.FromJson(input, strict: true);
    }

    private static void ReadModules(byte[] input) => SentenceModules.Read(ModelFiles.Of(Bundle.Files(input))).CheckedWidth(32);
}

/// <summary>A session that was saved, and one of the same model that reads it.</summary>
internal static class SavedSession
{
    private static readonly string s_file = Scratch.File("session");

    private static readonly Lazy<PretrainedModel> s_model = new(() => PretrainedModels.Load(
        TinyModels.Make<ICausalLM>("gpt2-lm", 32), new LoadOptions { Kernels = new() { MaxThreads = 1 } }));

    private static readonly Lazy<Session> s_session = new(() => s_model.Value.CreateSession());

    public static byte[] Seed()
    {
        using Session session = s_model.Value.CreateSession();
        ((ICausalLM)(object)s_model.Value).Forward([1, 2, 3], session);
        SavedSequence.Write(s_file, session, 0, [1, 2, 3]);
        return File.ReadAllBytes(s_file);
    }

    public static void Read(byte[] input)
    {
        File.WriteAllBytes(s_file, input);
        int before = s_session.Value.Cache!.Of(0).Length;
        int[] tokens;
        try
        {
            tokens = SavedSequence.Read(s_file, s_session.Value, 0);
        }
        catch (CheckpointException)
        {
            Oracle.Require(s_session.Value.Cache!.Of(0).Length == before, "A file that was refused has changed the session");
            throw;
        }
        SavedSequence.Write(s_file, s_session.Value, 0, tokens);
        Oracle.Require(SavedSequence.Read(s_file, s_session.Value, 0).SequenceEqual(tokens), "What was written is not what was read");
    }
}
