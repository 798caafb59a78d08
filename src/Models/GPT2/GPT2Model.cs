using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>GPT-2 without a head: token and position embeddings, blocks, final LayerNorm.</summary>
/// <remarks>Radford et al. 2019; transformers GPT2Model.</remarks>
internal class GPT2Model : DecoderModel
{
    private const string Wte = "transformer.wte", Drop = "transformer.drop", Block = "transformer.h";

    private readonly EmbeddingTable _positions;
    private readonly Action<FloatTensor, Session>[] _blocks;

    internal GPT2Model(GPT2Config config, ModelSource source) : this(config, source, config.NPositions, config.LayerNormEpsilon,
        (name, layer) => new GPT2Block(config, source.Weights, name, layer).Forward)
    {
    }

    /// <summary>The same body with blocks of another kind, which <paramref name="block"/> makes by name and number; each runs in place.</summary>
    private protected GPT2Model(
        PretrainedConfig config, ModelSource source, int positions, double eps, Func<string, int, Action<FloatTensor, Session>> block) : base(config, source)
    {
        ModelWeights weights = source.Weights;
        Words = new EmbeddingTable(weights, Wte, config.VocabSize, config.HiddenWidth);
        _positions = new EmbeddingTable(weights, "transformer.wpe", positions, config.HiddenWidth);
        _blocks = [.. Enumerable.Range(0, config.Layers).Select(i => block($"{Block}.{i}", i))];
        Norm = new LayerNormalization(weights, "transformer.ln_f", config.HiddenWidth, eps);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; } = new(Drop, $"{Block}.*", $"{Block}.*.attn", $"{Block}.*.mlp")
    {
        TransformerLens = new Dictionary<string, string>
        {
            ["hook_embed"] = Wte,
            ["blocks.*.attn.hook_q"] = $"{Block}.*.attn.query",
            ["blocks.*.attn.hook_k"] = $"{Block}.*.attn.key",
            ["blocks.*.attn.hook_v"] = $"{Block}.*.attn.value",
            ["blocks.*.hook_attn_out"] = $"{Block}.*.attn",
            ["blocks.*.mlp.hook_pre"] = $"{Block}.*.mlp.c_fc",
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
        _positions.Add(session.Batch.Positions, x, session);
        if (session.Batch.HasTypeIds)
            Words.Add(session.Batch.TypeIds, x, session);                    // transformers embeds segments with the token table itself
        session.Tap(Drop, x);
        foreach (Action<FloatTensor, Session> block in _blocks)
        {
            session.KeepHiddenState(x);
            block(x, session);
        }
        FloatTensor last = Norm.Forward(x, session);
        session.KeepHiddenState(last);                                       // as transformers: the last one is after ln_f
        return last;
    }
}

/// <summary>x ← x + attn(ln_1(x)); x ← x + mlp(ln_2(x)). [tokens, n_embd].</summary>
/// <remarks>Radford et al. 2019; transformers GPT2Block and GPT2MLP.</remarks>
internal sealed class GPT2Block
{
    private readonly LayerNormalization _ln1, _ln2;
    private readonly GPT2Attention _attn;
    private readonly FeedForwardBlock _mlp;
    private readonly string _name, _mlpName;

    public GPT2Block(GPT2Config config, ModelWeights weights, string name, int layer)
    {
        (_name, _mlpName) = (name, $"{name}.mlp");
        _ln1 = new LayerNormalization(weights, $"{name}.ln_1", config.NEmbd, config.LayerNormEpsilon);
        _attn = new GPT2Attention(config, weights, $"{name}.attn", layer);
        _ln2 = new LayerNormalization(weights, $"{name}.ln_2", config.NEmbd, config.LayerNormEpsilon);
        Linear up = Linear.Conv1D(weights, $"{name}.mlp.c_fc", config.NEmbd, config.InnerWidth);
        Linear down = Linear.Conv1D(weights, $"{name}.mlp.c_proj", config.InnerWidth, config.NEmbd);
        _mlp = new FeedForwardBlock(up, config.Activation, $"{name}.mlp.act", down);
    }

    /// <summary>One block, in place.</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor attn = _attn.Forward(_ln1.Forward(x, session), session);                         // [tokens, n_embd]
        Add.Run(x.Span, attn.Span, x.Span, session.Kernels);                                    // x ← x + attn
        FloatTensor mlp = session.Tap(_mlpName, _mlp.Forward(_ln2.Forward(x, session), session));    // [tokens, n_embd]
        Add.Run(x.Span, mlp.Span, x.Span, session.Kernels);                                     // x ← x + mlp
        session.Tap(_name, x);
    }
}

/// <summary>c_proj(softmax(q · kᵀ · scale) · v), each token attending to itself and what is before it.</summary>
/// <remarks>Radford et al. 2019; transformers GPT2Attention.</remarks>
internal sealed class GPT2Attention
{
    private readonly Linear _cAttn, _cProj;
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public GPT2Attention(GPT2Config config, ModelWeights weights, string name, int layer)
    {
        _name = name;
        _cAttn = Linear.Conv1D(weights, $"{name}.c_attn", config.NEmbd, 3 * config.NEmbd);
        _cProj = Linear.Conv1D(weights, $"{name}.c_proj", config.NEmbd, config.NEmbd);
        _heads = new CausalSelfAttention(config, name, layer, Heads(0), Heads(config.NEmbd), Heads(2 * config.NEmbd), rotary: null, config.ScoreScale(layer));

        HeadLayout Heads(int first) => new(config.NHead, config.HeadWidth, first, config.NHead, 0);       // q | k | v, heads in order
    }

    /// <summary>[tokens, n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        FloatTensor qkv = _cAttn.Forward(x, session);                                           // [tokens, 3 · n_embd]
        FloatTensor context = _heads.Forward(qkv, session);                                     // [tokens, n_embd]
        return session.Tap(_name, _heads.Traced.Project(_cProj, context, session));
    }
}
