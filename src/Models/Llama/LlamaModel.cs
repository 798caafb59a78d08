using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Llama without a head: token embeddings, layers, final RMSNorm.</summary>
/// <remarks>Touvron et al. 2023, arXiv:2302.13971; transformers LlamaModel.</remarks>
internal class LlamaModel : DecoderModel
{
    /// <summary>What the names of its tensors begin with.</summary>
    internal const string Prefix = "model";

    private const string EmbedTokens = Prefix + ".embed_tokens", Layers = Prefix + ".layers";

    private readonly LlamaDecoderLayer[] _layers;

    internal LlamaModel(LlamaConfig config, ModelSource source) : base(config, source)
    {
        Words = new EmbeddingTable(source.Weights, EmbedTokens, config.VocabSize, config.HiddenSize);
        var rotary = new RotaryEmbedding(config.HeadWidth, RotaryPairs.Halves, config.RopeTheta, config.Rope, config.MaxPositionEmbeddings);
        _layers = new LlamaDecoderLayer[config.NumHiddenLayers];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new LlamaDecoderLayer(config, source.Weights, $"{Layers}.{i}", i, rotary);
        Norm = new RmsNormalization(source.Weights, $"{Prefix}.norm", config.HiddenSize, config.RmsNormEps);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; } = new(EmbedTokens, $"{Layers}.*", $"{Layers}.*.self_attn", $"{Layers}.*.mlp")
    {
        // TransformerLens's mlp.hook_post, what down_proj reads, is no activation here.
        TransformerLens = new Dictionary<string, string>
        {
            ["hook_embed"] = EmbedTokens,
            ["blocks.*.attn.hook_q"] = $"{Layers}.*.self_attn.q_proj",
            ["blocks.*.attn.hook_k"] = $"{Layers}.*.self_attn.k_proj",
            ["blocks.*.attn.hook_v"] = $"{Layers}.*.self_attn.value",
            ["blocks.*.attn.hook_rot_q"] = $"{Layers}.*.self_attn.query",
            ["blocks.*.attn.hook_rot_k"] = $"{Layers}.*.self_attn.key",
            ["blocks.*.hook_attn_out"] = $"{Layers}.*.self_attn",
            ["blocks.*.mlp.hook_pre"] = $"{Layers}.*.mlp.gate_proj",
            ["blocks.*.mlp.hook_pre_linear"] = $"{Layers}.*.mlp.up_proj",
            ["blocks.*.hook_resid_post"] = $"{Layers}.*",
        },
    };

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <inheritdoc/>
    public override Normalization Norm { get; }

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = session.Tap(EmbedTokens, Words.Forward(EmbedTokens, session));       // [tokens, hidden]
        foreach (LlamaDecoderLayer layer in _layers)
        {
            session.KeepHiddenState(x);
            layer.Forward(x, session);
        }
        FloatTensor last = Norm.Forward(x, session);
        session.KeepHiddenState(last);                                                  // as transformers: the last one is after the norm
        return last;
    }
}

/// <summary>x ← x + self_attn(input_layernorm(x)); x ← x + mlp(post_attention_layernorm(x)). [tokens, hidden].</summary>
/// <remarks>Touvron et al. 2023, arXiv:2302.13971; transformers LlamaDecoderLayer and LlamaMLP.</remarks>
internal sealed class LlamaDecoderLayer
{
    private readonly RmsNormalization _inputLayernorm, _postAttentionLayernorm;
    private readonly LlamaAttention _selfAttn;
    private readonly GatedFeedForward _mlp;
    private readonly string _name, _mlpName;

    public LlamaDecoderLayer(LlamaConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        (_name, _mlpName) = (name, $"{name}.mlp");
        (int hidden, int inner, bool bias) = (config.HiddenSize, config.IntermediateSize, config.HasMlpBias);
        _inputLayernorm = new RmsNormalization(weights, $"{name}.input_layernorm", hidden, config.RmsNormEps);
        _selfAttn = new LlamaAttention(config, weights, $"{name}.self_attn", layer, rotary);
        _postAttentionLayernorm = new RmsNormalization(weights, $"{name}.post_attention_layernorm", hidden, config.RmsNormEps);
        _mlp = new GatedFeedForward(
            new Linear(weights, $"{name}.mlp.gate_proj", hidden, inner, bias), new Linear(weights, $"{name}.mlp.up_proj", hidden, inner, bias),
            config.Activation, $"{name}.mlp.act_fn", new Linear(weights, $"{name}.mlp.down_proj", inner, hidden, bias));
    }

    /// <summary>One layer, in place.</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor attention = _selfAttn.Forward(_inputLayernorm.Forward(x, session), session);     // [tokens, hidden]
        Add.Run(x.Span, attention.Span, x.Span, session.Kernels);
        FloatTensor normed = _postAttentionLayernorm.Forward(x, session);
        FloatTensor mlp = session.Tap(_mlpName, _mlp.Forward(normed, session));                      // [tokens, hidden]
        Add.Run(x.Span, mlp.Span, x.Span, session.Kernels);
        session.Tap(_name, x);
    }
}

/// <summary>o_proj(softmax(q · kᵀ / √head_dim) · v) with rotated q and k; heads of keys and values may serve several heads of queries.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); Ainslie et al. 2023, arXiv:2305.13245 (shared heads); transformers LlamaAttention.</remarks>
internal sealed class LlamaAttention
{
    private readonly Linear _qProj, _kProj, _vProj, _oProj;
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public LlamaAttention(LlamaConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        _name = name;
        (int hidden, int all, int shared) = (config.HiddenSize, config.Heads * config.HeadWidth, config.KeyValueHeads * config.HeadWidth);
        _qProj = new Linear(weights, $"{name}.q_proj", hidden, all, config.HasQkvBias);
        _kProj = new Linear(weights, $"{name}.k_proj", hidden, shared, config.HasQkvBias);
        _vProj = new Linear(weights, $"{name}.v_proj", hidden, shared, config.HasQkvBias);
        _oProj = new Linear(weights, $"{name}.o_proj", all, hidden, config.HasOutputBias);
        _heads = new CausalSelfAttention(config, name, layer, rotary);
    }

    /// <summary>[tokens, hidden] → [tokens, hidden]; appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        (FloatTensor q, FloatTensor k, FloatTensor v) = Linear.Forward(_qProj, _kProj, _vProj, x, session);
        FloatTensor context = _heads.Forward(q, k, v, session);                              // [tokens, heads · head_dim]
        return session.Tap(_name, _heads.Traced.Project(_oProj, context, session));
    }
}
