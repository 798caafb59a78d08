using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>CodeGen and CodeGen2 without a head: token embeddings, blocks, final LayerNorm.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, and 2023, arXiv:2305.02309; transformers CodeGenModel.</remarks>
internal sealed class CodeGenModel : DecoderModel
{
    private const string Wte = "transformer.wte", Drop = "transformer.drop";

    private readonly CodeGenBlock[] _blocks;

    internal CodeGenModel(CodeGenConfig config, ModelSource source) : base(config, source)
    {
        Config = config;
        Paths = new ModulePaths(Drop, "transformer.h.*", "transformer.h.*.attn", "transformer.h.*.mlp")
        {
            TransformerLens = s_lensNames, FusedHeads = FusedHeads(config),
        };
        Words = new EmbeddingTable(source.Weights, Wte, config.VocabSize, config.NEmbd);
        var rotary = new RotaryEmbedding(config.RotaryWidth, RotaryPairs.Interleaved);
        _blocks = new CodeGenBlock[config.NLayer];
        for (int i = 0; i < _blocks.Length; i++)
            _blocks[i] = new CodeGenBlock(config, source.Weights, $"transformer.h.{i}", i, rotary);
        Norm = new LayerNormalization(source.Weights, "transformer.ln_f", config.NEmbd, config.LayerNormEpsilon);
    }

    /// <summary>The configuration.</summary>
    public new CodeGenConfig Config { get; }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; }

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <summary>ln_f.</summary>
    public override Normalization Norm { get; }

    /// <summary>As TransformerLens names a model with rotary positions whose attention and MLP are parallel, such as GPT-J.</summary>
    private static readonly Dictionary<string, string> s_lensNames = new()
    {
        ["hook_embed"] = Wte,
        ["blocks.*.attn.hook_q"] = "transformer.h.*.attn.qkv_proj",
        ["blocks.*.attn.hook_k"] = "transformer.h.*.attn.qkv_proj",
        ["blocks.*.attn.hook_v"] = "transformer.h.*.attn.value",
        ["blocks.*.attn.hook_rot_q"] = "transformer.h.*.attn.query",
        ["blocks.*.attn.hook_rot_k"] = "transformer.h.*.attn.key",
        ["blocks.*.hook_attn_out"] = "transformer.h.*.attn",
        ["blocks.*.mlp.hook_pre"] = "transformer.h.*.mlp.fc_in",
        ["blocks.*.mlp.hook_post"] = "transformer.h.*.mlp.act",
        ["blocks.*.hook_resid_post"] = "transformer.h.*",
    };

    private static Dictionary<string, HeadLayout> FusedHeads(CodeGenConfig config) => new()
    {
        ["blocks.*.attn.hook_q"] = CodeGenAttention.Queries(config), ["blocks.*.attn.hook_k"] = CodeGenAttention.Keys(config),
    };

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = session.Tap(Wte, Words.Forward(Wte, session));             // [tokens, n_embd]
        if (session.Batch.HasTypeIds)
            Words.Add(session.Batch.TypeIds, x, session);                     // transformers embeds segments with the token table itself
        session.Tap(Drop, x);
        foreach (CodeGenBlock block in _blocks)
        {
            session.KeepHiddenState(x);
            block.Forward(x, session);
        }
        FloatTensor last = Norm.Forward(x, session);
        session.KeepHiddenState(last);                                        // as transformers: the last one is after ln_f
        return last;
    }
}

/// <summary>x ← x + attn(ln_1(x)) + mlp(ln_1(x)); one LayerNorm feeds both branches. [tokens, n_embd].</summary>
/// <remarks>Wang &amp; Komatsuzaki 2021 (GPT-J); transformers CodeGenBlock and CodeGenMLP.</remarks>
internal sealed class CodeGenBlock
{
    private readonly LayerNormalization _ln1;
    private readonly CodeGenAttention _attn;
    private readonly FeedForwardBlock _mlp;
    private readonly string _name, _mlpName;

    public CodeGenBlock(CodeGenConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        (_name, _mlpName) = (name, $"{name}.mlp");
        _ln1 = new LayerNormalization(weights, $"{name}.ln_1", config.NEmbd, config.LayerNormEpsilon);
        _attn = new CodeGenAttention(config, weights, $"{name}.attn", layer, rotary);
        var fcIn = new Linear(weights, $"{name}.mlp.fc_in", config.NEmbd, config.InnerWidth);
        var fcOut = new Linear(weights, $"{name}.mlp.fc_out", config.InnerWidth, config.NEmbd);
        _mlp = new FeedForwardBlock(fcIn, config.Activation, $"{name}.mlp.act", fcOut);
    }

    /// <summary>One block, in place.</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor normed = _ln1.Forward(x, session);                               // [tokens, n_embd]
        (FloatTensor attn, FloatTensor mlp) = ParallelBranches.Pay(normed, session)
            ? ParallelBranches.Forward(_attn, _mlp, normed, session)
            : (_attn.Forward(normed, session), session.Tap(_mlpName, _mlp.Forward(normed, session)));
        Add.Run(attn.Span, mlp.Span, attn.Span, session.Kernels);               // attn ← attn + mlp
        Add.Run(x.Span, attn.Span, x.Span, session.Kernels);                    // x ← x + attn + mlp
        session.Tap(_name, x);
    }
}

/// <summary>out_proj(softmax(q · kᵀ / √head_dim) · v) with rotated q and k, each token attending to itself and what is before it.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); Nijkamp et al. 2022, arXiv:2203.13474; transformers CodeGenAttention.</remarks>
internal sealed class CodeGenAttention
{
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public CodeGenAttention(CodeGenConfig config, ModelWeights weights, string name, int layer, RotaryEmbedding rotary)
    {
        _name = name;
        QkvProj = new Linear(weights, $"{name}.qkv_proj", config.NEmbd, 3 * config.NEmbd, bias: false);
        OutProj = new Linear(weights, $"{name}.out_proj", config.NEmbd, config.NEmbd, bias: false);
        _heads = new CausalSelfAttention(config, name, layer, Queries(config), Keys(config), Heads(config, 1), rotary);
    }

    /// <summary>Where the queries are in a row of qkv_proj.</summary>
    public static HeadLayout Queries(CodeGenConfig config) => Heads(config, 0);

    /// <summary>Where the keys are in a row of qkv_proj.</summary>
    public static HeadLayout Keys(CodeGenConfig config) => Heads(config, 2);

    /// <summary>The rows of qkv_proj are in blocks of [query | value | key]; each has some whole heads of all three.</summary>
    private static HeadLayout Heads(CodeGenConfig config, int third)
    {
        int headsPerBlock = config.NHead / config.QkvBlocks, part = headsPerBlock * config.HeadWidth;
        return new HeadLayout(config.NHead, config.HeadWidth, third * part, headsPerBlock, 3 * part);
    }

    /// <summary>n_embd → query, value and key of all heads.</summary>
    public Linear QkvProj { get; }

    /// <summary>All heads → n_embd.</summary>
    public Linear OutProj { get; }

    /// <summary>[tokens, n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        FloatTensor qkv = QkvProj.Forward(x, session);                                                                   // [tokens, 3 · n_embd]
        FloatTensor context = Attend(qkv, session);                                                                      // [tokens, n_embd]
        FloatTensor attention = _heads.Traced.Project(OutProj, context, session);                                       // [tokens, n_embd]
        return session.Tap(_name, attention);
    }

    /// <summary>What is between the two layers: softmax(q · kᵀ / √head_dim) · v. [tokens, 3 · n_embd] → [tokens, n_embd].</summary>
    public FloatTensor Attend(FloatTensor qkv, Session session) => _heads.Forward(qkv, session);
}

/// <summary>The two branches of a block, a layer of each at a time: neither needs the other, so that while decoding threads meet three times instead of
/// five.</summary>
/// <remarks>The bits are those of one branch after the other. A step with Int4 weights takes 1.02 to 1.05 times as long without it.</remarks>
internal static class ParallelBranches
{
    /// <summary>Whether it pays: few tokens, and nobody who traces what is inside a branch.</summary>
    public static bool Pay(FloatTensor x, Session session) => x.Shape[0] <= session.Kernels.StreamedRows && session.Tracer is null;

    /// <summary>[tokens, n_embd] → [tokens, n_embd] twice; appends to the KV cache.</summary>
    public static (FloatTensor Attn, FloatTensor Mlp) Forward(CodeGenAttention attn, FeedForwardBlock mlp, FloatTensor x, Session session)
    {
        (FloatTensor qkv, FloatTensor inner) = Linear.Forward(attn.QkvProj, x, mlp.Up, x, session, mlp.Activation);
        FloatTensor context = attn.Attend(qkv, session);
        return Linear.Forward(attn.OutProj, context, mlp.Down, inner, session);
    }
}
