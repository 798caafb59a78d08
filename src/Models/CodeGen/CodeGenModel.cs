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
        Words = new EmbeddingTable(source.Weights, Wte, config.VocabSize, config.NEmbd);
        var rotary = new RotaryTable(config.RotaryWidth, config.NPositions);
        _blocks = new CodeGenBlock[config.NLayer];
        for (int i = 0; i < _blocks.Length; i++)
            _blocks[i] = new CodeGenBlock(config, source.Weights, $"transformer.h.{i}", i, rotary);
        Norm = new LayerNormalization(source.Weights, "transformer.ln_f", config.NEmbd, config.LayerNormEpsilon);
    }

    /// <summary>The configuration.</summary>
    public new CodeGenConfig Config { get; }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; } = new(Drop, "transformer.h.*", "transformer.h.*.attn", "transformer.h.*.mlp");

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <summary>ln_f.</summary>
    public override LayerNormalization Norm { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Session session)
    {
        Tensor x = session.Tap(Wte, Words.Forward(Wte, session));             // [tokens, n_embd]
        if (session.Batch.HasTypeIds)
            Words.Add(session.Batch.TypeIds, x, session);                     // transformers embeds segments with the token table itself
        session.Tap(Drop, x);
        foreach (CodeGenBlock block in _blocks)
        {
            session.KeepHiddenState(x);
            block.Forward(x, session);
        }
        Tensor last = Norm.Forward(x, session);
        session.KeepHiddenState(last);                                        // as transformers: the last one is after ln_f
        return last;
    }
}
