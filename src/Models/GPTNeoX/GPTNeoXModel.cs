using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>GPT-NeoX without a head: token embeddings, layers, final LayerNorm.</summary>
/// <remarks>Black et al. 2022, arXiv:2204.06745; transformers GPTNeoXModel.</remarks>
internal sealed class GPTNeoXModel : DecoderModel
{
    private const string EmbedIn = "gpt_neox.embed_in", Layers = "gpt_neox.layers";

    private readonly GPTNeoXLayer[] _layers;

    internal GPTNeoXModel(GPTNeoXConfig config, ModelSource source) : base(config, source)
    {
        Paths = new ModulePaths(EmbedIn, $"{Layers}.*", $"{Layers}.*.attention", $"{Layers}.*.mlp")
        {
            TransformerLens = s_lensNames,
            FusedHeads = new Dictionary<string, HeadLayout>
            {
                ["blocks.*.attn.hook_q"] = GPTNeoXAttention.Queries(config), ["blocks.*.attn.hook_k"] = GPTNeoXAttention.Keys(config),
            },
        };
        Words = new EmbeddingTable(source.Weights, EmbedIn, config.VocabSize, config.HiddenSize);
        var rotary = new RotaryEmbedding(config.RotaryWidth, RotaryPairs.Halves, config.Theta, config.RopeScaling, config.MaxPositionEmbeddings);
        _layers = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new GPTNeoXLayer(config, source.Weights, $"{Layers}.{i}", i, rotary))];
        Norm = new LayerNormalization(source.Weights, "gpt_neox.final_layer_norm", config.HiddenSize, config.LayerNormEps);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; }

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <inheritdoc/>
    public override Normalization Norm { get; }

    private static readonly Dictionary<string, string> s_lensNames = new()
    {
        ["hook_embed"] = EmbedIn,
        ["blocks.*.attn.hook_q"] = $"{Layers}.*.attention.query_key_value",
        ["blocks.*.attn.hook_k"] = $"{Layers}.*.attention.query_key_value",
        ["blocks.*.attn.hook_v"] = $"{Layers}.*.attention.value",
        ["blocks.*.attn.hook_rot_q"] = $"{Layers}.*.attention.query",
        ["blocks.*.attn.hook_rot_k"] = $"{Layers}.*.attention.key",
        ["blocks.*.hook_attn_out"] = $"{Layers}.*.attention",
        ["blocks.*.mlp.hook_pre"] = $"{Layers}.*.mlp.dense_h_to_4h",
        ["blocks.*.mlp.hook_post"] = $"{Layers}.*.mlp.act",
        ["blocks.*.hook_resid_post"] = $"{Layers}.*",
    };

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = session.Tap(EmbedIn, Words.Forward(EmbedIn, session));               // [tokens, hidden]
        foreach (GPTNeoXLayer layer in _layers)
        {
            session.KeepHiddenState(x);
            layer.Forward(x, session);
        }
        FloatTensor last = Norm.Forward(x, session);
        session.KeepHiddenState(last);                                                  // as transformers: the last one is after the norm
        return last;
    }
}

/// <summary>In parallel: x ← x + attention(ln1(x)) + mlp(ln2(x)). In sequence: x ← x + attention(ln1(x)); x ← x + mlp(ln2(x)). [tokens, hidden].</summary>
/// <remarks>Black et al. 2022, arXiv:2204.06745; transformers GPTNeoXLayer and GPTNeoXMLP.</remarks>
internal sealed class GPTNeoXLayer
{
    private readonly LayerNormalization _inputLayernorm, _postAttentionLayernorm;
    private readonly GPTNeoXAttention _attention;
    private readonly FeedForwardBlock _mlp;
    private readonly bool _parallel;
    private readonly string _name, _mlpName;

    public GPTNeoXLayer(GPTNeoXConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        (_name, _mlpName, _parallel) = (name, $"{name}.mlp", config.UseParallelResidual);
        (int hidden, int inner) = (config.HiddenSize, config.IntermediateSize);
        _inputLayernorm = new LayerNormalization(weights, $"{name}.input_layernorm", hidden, config.LayerNormEps);
        _postAttentionLayernorm = new LayerNormalization(weights, $"{name}.post_attention_layernorm", hidden, config.LayerNormEps);
        _attention = new GPTNeoXAttention(config, weights, $"{name}.attention", layer, rotary);
        _mlp = new FeedForwardBlock(new Linear(weights, $"{name}.mlp.dense_h_to_4h", hidden, inner), config.Activation, $"{name}.mlp.act",
            new Linear(weights, $"{name}.mlp.dense_4h_to_h", inner, hidden));
    }

    /// <summary>One layer, in place.</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor attention = _attention.Forward(_inputLayernorm.Forward(x, session), session);                    // [tokens, hidden]
        if (!_parallel)
            Add.Run(x.Span, attention.Span, x.Span, session.Kernels);
        FloatTensor mlp = session.Tap(_mlpName, _mlp.Forward(_postAttentionLayernorm.Forward(x, session), session));     // [tokens, hidden]
        if (_parallel)
            Add.Run(attention.Span, mlp.Span, mlp.Span, session.Kernels);
        Add.Run(x.Span, mlp.Span, x.Span, session.Kernels);
        session.Tap(_name, x);
    }
}

/// <summary>dense(softmax(q · kᵀ / √head_dim) · v), with the first part of q and k rotated.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); transformers GPTNeoXAttention.</remarks>
internal sealed class GPTNeoXAttention
{
    private readonly Linear _queryKeyValue, _dense;
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public GPTNeoXAttention(GPTNeoXConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        _name = name;
        int hidden = config.HiddenSize;
        _queryKeyValue = new Linear(weights, $"{name}.query_key_value", hidden, 3 * hidden, config.AttentionBias);
        _dense = new Linear(weights, $"{name}.dense", hidden, hidden, config.AttentionBias);
        _heads = new CausalSelfAttention(config, name, layer, Queries(config), Keys(config), Heads(config, 2), rotary);
    }

    /// <summary>Where the queries are in a row of query_key_value.</summary>
    public static HeadLayout Queries(GPTNeoXConfig config) => Heads(config, 0);

    /// <summary>Where the keys are in a row of query_key_value.</summary>
    public static HeadLayout Keys(GPTNeoXConfig config) => Heads(config, 1);

    /// <summary>A row of query_key_value is head by head q | k | v.</summary>
    private static HeadLayout Heads(GPTNeoXConfig config, int third)
    {
        int d = config.HeadWidth;
        return new HeadLayout(config.Heads, d, third * d, HeadsPerBlock: 1, BlockStride: 3 * d);
    }

    /// <summary>[tokens, hidden] → [tokens, hidden]; appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        FloatTensor context = _heads.Forward(_queryKeyValue.Forward(x, session), session);
        return session.Tap(_name, _heads.Traced.Project(_dense, context, session));
    }
}
