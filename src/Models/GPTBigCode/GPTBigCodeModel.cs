using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>SantaCoder and StarCoder without a head: GPT-2's body, with blocks whose heads may share keys and values.</summary>
/// <remarks>Ben Allal et al. 2023, arXiv:2301.03988; Li et al. 2023, arXiv:2305.06161; transformers GPTBigCodeModel.</remarks>
internal sealed class GPTBigCodeModel : GPT2Model
{
    internal GPTBigCodeModel(GPTBigCodeConfig config, ModelSource source) : base(config, source, config.NPositions, config.LayerNormEpsilon,
        (name, layer) => new GPTBigCodeBlock(config, source.Weights, name, layer).Forward)
    {
    }
}

/// <summary>x ← x + attn(ln_1(x)); x ← x + mlp(ln_2(x)). [tokens, n_embd].</summary>
/// <remarks>Ben Allal et al. 2023, arXiv:2301.03988; transformers GPTBigCodeBlock and GPTBigCodeMLP.</remarks>
internal sealed class GPTBigCodeBlock
{
    private readonly LayerNormalization _ln1, _ln2;
    private readonly GPTBigCodeAttention _attn;
    private readonly FeedForwardBlock _mlp;
    private readonly string _name, _mlpName;

    public GPTBigCodeBlock(GPTBigCodeConfig config, ModelWeights weights, string name, int layer)
    {
        (_name, _mlpName) = (name, $"{name}.mlp");
        _ln1 = new LayerNormalization(weights, $"{name}.ln_1", config.NEmbd, config.LayerNormEpsilon);
        _attn = new GPTBigCodeAttention(config, weights, $"{name}.attn", layer);
        _ln2 = new LayerNormalization(weights, $"{name}.ln_2", config.NEmbd, config.LayerNormEpsilon);
        _mlp = new FeedForwardBlock(new Linear(weights, $"{name}.mlp.c_fc", config.NEmbd, config.InnerWidth), config.Activation, $"{name}.mlp.act",
            new Linear(weights, $"{name}.mlp.c_proj", config.InnerWidth, config.NEmbd));
    }

    /// <summary>One block, in place.</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor attn = _attn.Forward(_ln1.Forward(x, session), session);                             // [tokens, n_embd]
        Add.Run(x.Span, attn.Span, x.Span, session.Kernels);
        FloatTensor mlp = session.Tap(_mlpName, _mlp.Forward(_ln2.Forward(x, session), session));        // [tokens, n_embd]
        Add.Run(x.Span, mlp.Span, x.Span, session.Kernels);
        session.Tap(_name, x);
    }
}

/// <summary>c_proj(softmax(q · kᵀ / √head_dim) · v); with multi_query all heads read one head of keys and values.</summary>
/// <remarks>Shazeer 2019, arXiv:1911.02150; transformers GPTBigCodeAttention.</remarks>
internal sealed class GPTBigCodeAttention
{
    private readonly Linear _cAttn, _cProj;
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public GPTBigCodeAttention(GPTBigCodeConfig config, ModelWeights weights, string name, int layer)
    {
        _name = name;
        (int hidden, int d) = (config.NEmbd, config.HeadWidth);
        _cAttn = new Linear(weights, $"{name}.c_attn", hidden, hidden + (2 * config.KeyValueHeads * d));
        _cProj = new Linear(weights, $"{name}.c_proj", hidden, hidden);
        float? scale = config.ScaleAttnWeights ? null : 1;
        // multi_query: the queries of all heads | key | value; else head by head q | k | v
        _heads = config.MultiQuery
            ? new CausalSelfAttention(config, name, layer, new(config.NHead, d), new(1, d, hidden, 1, 0), new(1, d, hidden + d, 1, 0), rotary: null, scale)
            : new CausalSelfAttention(config, name, layer, Heads(0), Heads(d), Heads(2 * d), rotary: null, scale);

        HeadLayout Heads(int first) => new(config.NHead, d, first, HeadsPerBlock: 1, BlockStride: 3 * d);
    }

    /// <summary>[tokens, n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        FloatTensor context = _heads.Forward(_cAttn.Forward(x, session), session);
        return session.Tap(_name, _heads.Traced.Project(_cProj, context, session));
    }
}
