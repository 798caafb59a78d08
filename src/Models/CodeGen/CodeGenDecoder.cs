using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The body of CodeGen: token embeddings, blocks, final LayerNorm.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474; transformers CodeGenModel.</remarks>
internal sealed class CodeGenDecoder
{
    private const string Wte = "transformer.wte", Drop = "transformer.drop";

    private readonly CodeGenConfig _config;
    private readonly Matrix _wte;
    private readonly CodeGenBlock[] _blocks;
    private readonly LayerNormalization _lnF;

    public CodeGenDecoder(CodeGenConfig config, ModelWeights weights)
    {
        _config = config;
        _wte = weights.Matrix("transformer.wte.weight", config.VocabSize, config.NEmbd);
        var rotary = new RotaryTable(config.RotaryWidth, config.NPositions);
        _blocks = new CodeGenBlock[config.NLayer];
        for (int i = 0; i < _blocks.Length; i++)
            _blocks[i] = new CodeGenBlock(config, weights, $"transformer.h.{i}", i, rotary);
        _lnF = new LayerNormalization(weights, "transformer.ln_f", config.NEmbd, config.LayerNormEpsilon);
    }

    /// <summary>The names of what it taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [Wte, Drop, .. _blocks.SelectMany(block => block.ActivationNames), _lnF.Name];

    /// <summary>The token table, [vocab_size, n_embd].</summary>
    public Matrix WordEmbeddings => _wte;

    /// <summary>ln_f, the LayerNorm before the head.</summary>
    public LayerNormalization Norm => _lnF;

    /// <summary>Takes ids, segments and positions of the packed tokens from <paramref name="inputs"/> and runs them.</summary>
    public Tensor Forward(ModelInputs inputs, Session session)
    {
        PackedBatch batch = session.Batch;
        Tensor x = session.Workspace.Rent(Wte, batch.Tokens, _config.NEmbd);
        if (inputs.InputsEmbeds is Tensor embeds)
        {
            batch.Gather(embeds.Span, x);
        }
        else
        {
            batch.Gather(inputs.InputIds, batch.TokenIds);
            Embedding.Lookup(batch.TokenIds, _wte.View, x.Span, session.Kernels);
        }
        session.Tap(Wte, x);
        FillPositions(inputs, batch, past: session.Cache!.Columns);
        if (inputs.TokenTypeIds is int[] types)
        {
            // transformers embeds segments with the token table itself.
            InputChecks.CheckIds("token_type_ids", types, _config.VocabSize, "vocab_size", inputs.SequenceLength);
            batch.Gather(types, batch.TypeIds);
            Embedding.LookupAdd(batch.TypeIds, _wte.View, x.Span, session.Kernels);
        }
        return RunBlocks(x, session);
    }

    /// <summary>Runs the packed tokens; ids and positions are in the batch already. Allocates nothing in the steady state.</summary>
    public Tensor Run(Session session)
    {
        Tensor x = session.Workspace.Rent(Wte, session.Batch.Tokens, _config.NEmbd);
        Embedding.Lookup(session.Batch.TokenIds, _wte.View, x.Span, session.Kernels);
        session.Tap(Wte, x);
        return RunBlocks(x, session);
    }

    private Tensor RunBlocks(Tensor x, Session session)
    {
        session.Cache!.Reserve(session.Batch);
        session.Tap(Drop, x);
        foreach (CodeGenBlock block in _blocks)
        {
            session.KeepHiddenState(x);
            block.Forward(x, session);
        }
        Tensor last = _lnF.Forward(x, session);
        session.KeepHiddenState(last);                  // as transformers: the last one is after ln_f
        session.Cache.Commit(session.Batch);
        return last;
    }

    /// <summary>Positions count columns from what the cache holds on; padding counts, as in transformers, unless position_ids say otherwise.</summary>
    private void FillPositions(ModelInputs inputs, PackedBatch batch, int past)
    {
        if (inputs.PositionIds is int[] positions)
        {
            InputChecks.CheckIds("position_ids", positions, _config.NPositions, "n_positions", inputs.SequenceLength);
            batch.Gather(positions, batch.Positions);
            return;
        }
        for (int i = 0; i < batch.Tokens; i++)
            batch.Positions[i] = past + batch.Columns[i];
    }
}
