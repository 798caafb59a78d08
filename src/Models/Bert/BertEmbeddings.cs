using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>LayerNorm(word + segment + position embeddings): ids → [tokens, hidden].</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805, figure 2; transformers BertEmbeddings and RobertaEmbeddings.</remarks>
internal sealed class BertEmbeddings
{
    private readonly BertConfig _config;
    private readonly string _name;
    private readonly Matrix _tokenTypeEmbeddings;
    private readonly Matrix _positionEmbeddings;
    private readonly LayerNormalization _layerNorm;

    public BertEmbeddings(BertConfig config, ModelWeights weights, string name)
    {
        (_config, _name) = (config, name);
        int hidden = config.HiddenSize;
        int? positionPadding = config is RobertaConfig roberta ? roberta.PaddingIdx : null;
        WordEmbeddings = weights.Matrix($"{name}.word_embeddings.weight", config.VocabSize, hidden, zeroRow: config.PadTokenId);
        _positionEmbeddings = weights.Matrix($"{name}.position_embeddings.weight", config.MaxPositionEmbeddings, hidden, positionPadding);
        _tokenTypeEmbeddings = weights.Matrix($"{name}.token_type_embeddings.weight", config.TypeVocabSize, hidden);
        _layerNorm = new LayerNormalization(weights, $"{name}.LayerNorm", hidden, config.LayerNormEps);
    }

    /// <summary>The Hugging Face module path.</summary>
    public string Name => _name;

    /// <summary>The token table, [vocab_size, hidden]; a masked-LM decoder may be tied to it.</summary>
    public Matrix WordEmbeddings { get; }

    /// <summary>The packed tokens of <paramref name="inputs"/> → [tokens, hidden].</summary>
    public Tensor Forward(ModelInputs inputs, Session session)
    {
        PackedBatch batch = session.Batch;
        Tensor x = session.Workspace.Rent(_name, batch.Tokens, _config.HiddenSize);
        if (inputs.InputsEmbeds is Tensor embeds)
        {
            batch.Gather(embeds.Span, x);
        }
        else
        {
            batch.Gather(inputs.InputIds, batch.TokenIds);
            Embedding.Lookup(batch.TokenIds, WordEmbeddings.View, x.Span, session.Kernels);
        }
        FillTypes(inputs, batch);
        FillPositions(inputs, batch);
        Embedding.LookupAdd(batch.TypeIds, _tokenTypeEmbeddings.View, x.Span, session.Kernels);
        Embedding.LookupAdd(batch.Positions, _positionEmbeddings.View, x.Span, session.Kernels);
        _layerNorm.ForwardTo(x, x, session);
        return session.Tap(_name, x);
    }

    private void FillTypes(ModelInputs inputs, PackedBatch batch)
    {
        batch.TypeIds.Clear();
        if (inputs.TokenTypeIds is null)
            return;
        InputChecks.CheckIds("token_type_ids", inputs.TokenTypeIds, _config.TypeVocabSize, "type_vocab_size", inputs.SequenceLength);
        batch.Gather(inputs.TokenTypeIds, batch.TypeIds);
    }

    private void FillPositions(ModelInputs inputs, PackedBatch batch)
    {
        int[] positions = inputs.PositionIds ?? DefaultPositions(inputs);
        InputChecks.CheckIds("position_ids", positions, _config.MaxPositionEmbeddings, "max_position_embeddings", inputs.SequenceLength);
        batch.Gather(positions, batch.Positions);
    }

    /// <summary>BERT counts columns; RoBERTa counts the tokens that are not padding, from padding_idx + 1.</summary>
    private int[] DefaultPositions(ModelInputs inputs)
    {
        var positions = new int[inputs.BatchSize * inputs.SequenceLength];
        int? padding = (_config as RobertaConfig)?.PaddingIdx;
        for (int row = 0; row < inputs.BatchSize; row++)
        {
            int next = padding + 1 ?? 0;
            for (int column = 0; column < inputs.SequenceLength; column++)
            {
                int i = row * inputs.SequenceLength + column;
                bool isPadding = padding is not null && inputs.InputIds is int[] ids && ids[i] == padding;
                positions[i] = isPadding ? padding!.Value : next++;
            }
        }
        return positions;
    }
}
