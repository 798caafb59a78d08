using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>GPT-J without a head: token embeddings, blocks, final LayerNorm.</summary>
/// <remarks>Wang &amp; Komatsuzaki 2021; transformers GPTJModel.</remarks>
internal sealed class GPTJModel : DecoderModel
{
    private const string Wte = "transformer.wte", Drop = "transformer.drop", Block = "transformer.h";

    private readonly GPTJBlock[] _blocks;

    internal GPTJModel(GPTJConfig config, ModelSource source) : base(config, source)
    {
        Words = new EmbeddingTable(source.Weights, Wte, config.VocabSize, config.NEmbd);
        var rotary = new RotaryEmbedding(config.RotaryDim!.Value, RotaryPairs.Interleaved);
        _blocks = [.. Enumerable.Range(0, config.NLayer).Select(i => new GPTJBlock(config, source.Weights, $"{Block}.{i}", i, rotary))];
        Norm = new LayerNormalization(source.Weights, "transformer.ln_f", config.NEmbd, config.LayerNormEpsilon);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; } = new(Drop, $"{Block}.*", $"{Block}.*.attn", $"{Block}.*.mlp")
    {
        TransformerLens = new Dictionary<string, string>
        {
            ["hook_embed"] = Wte,
            ["blocks.*.attn.hook_q"] = $"{Block}.*.attn.q_proj",
            ["blocks.*.attn.hook_k"] = $"{Block}.*.attn.k_proj",
            ["blocks.*.attn.hook_v"] = $"{Block}.*.attn.value",
            ["blocks.*.attn.hook_rot_q"] = $"{Block}.*.attn.query",
            ["blocks.*.attn.hook_rot_k"] = $"{Block}.*.attn.key",
            ["blocks.*.hook_attn_out"] = $"{Block}.*.attn",
            ["blocks.*.mlp.hook_pre"] = $"{Block}.*.mlp.fc_in",
            ["blocks.*.mlp.hook_post"] = $"{Block}.*.mlp.act",
            ["blocks.*.hook_resid_post"] = $"{Block}.*",
        },
    };

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <summary>ln_f.</summary>
    public override LayerNormalization Norm { get; }

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = session.Tap(Wte, Words.Forward(Wte, session));            // [tokens, n_embd]
        if (session.Batch.HasTypeIds)
            Words.Add(session.Batch.TypeIds, x, session);                    // transformers embeds segments with the token table itself
        session.Tap(Drop, x);
        foreach (GPTJBlock block in _blocks)
        {
            session.KeepHiddenState(x);
            block.Forward(x, session);
        }
        FloatTensor last = Norm.Forward(x, session);
        session.KeepHiddenState(last);                                       // as transformers: the last one is after ln_f
        return last;
    }
}

/// <summary>x ← x + attn(ln_1(x)) + mlp(ln_1(x)); one LayerNorm feeds both branches. [tokens, n_embd].</summary>
/// <remarks>Wang &amp; Komatsuzaki 2021; transformers GPTJBlock and GPTJMLP.</remarks>
internal sealed class GPTJBlock
{
    private readonly LayerNormalization _ln1;
    private readonly GPTJAttention _attn;
    private readonly FeedForwardBlock _mlp;
    private readonly string _name, _mlpName;

    public GPTJBlock(GPTJConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        (_name, _mlpName) = (name, $"{name}.mlp");
        _ln1 = new LayerNormalization(weights, $"{name}.ln_1", config.NEmbd, config.LayerNormEpsilon);
        _attn = new GPTJAttention(config, weights, $"{name}.attn", layer, rotary);
        var fcIn = new Linear(weights, $"{name}.mlp.fc_in", config.NEmbd, config.InnerWidth);
        var fcOut = new Linear(weights, $"{name}.mlp.fc_out", config.InnerWidth, config.NEmbd);
        _mlp = new FeedForwardBlock(fcIn, config.Activation, $"{name}.mlp.act", fcOut);
    }

    /// <summary>One block, in place.</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor normed = _ln1.Forward(x, session);                                    // [tokens, n_embd]
        FloatTensor attn = _attn.Forward(normed, session);                                // [tokens, n_embd]
        FloatTensor mlp = session.Tap(_mlpName, _mlp.Forward(normed, session));           // [tokens, n_embd]
        Add.Run(attn.Span, mlp.Span, attn.Span, session.Kernels);                    // attn ← attn + mlp
        Add.Run(x.Span, attn.Span, x.Span, session.Kernels);                         // x ← x + attn + mlp
        session.Tap(_name, x);
    }
}

/// <summary>out_proj(softmax(q · kᵀ / √head_dim) · v) with rotated q and k, each token attending to itself and what is before it.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); transformers GPTJAttention.</remarks>
internal sealed class GPTJAttention
{
    private readonly Linear _qProj, _kProj, _vProj, _outProj;
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public GPTJAttention(GPTJConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        _name = name;
        (_qProj, _kProj, _vProj, _outProj) = (Projection("q_proj"), Projection("k_proj"), Projection("v_proj"), Projection("out_proj"));
        _heads = new CausalSelfAttention(config, name, layer, rotary);

        Linear Projection(string part) => new(weights, $"{name}.{part}", config.NEmbd, config.NEmbd, bias: false);
    }

    /// <summary>[tokens, n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        (FloatTensor query, FloatTensor key, FloatTensor value) = Linear.Forward(_qProj, _kProj, _vProj, x, session);       // [tokens, n_embd]
        FloatTensor context = _heads.Forward(query, key, value, session);                                              // [tokens, n_embd]
        return session.Tap(_name, _heads.Traced.Project(_outProj, context, session));
    }
}
