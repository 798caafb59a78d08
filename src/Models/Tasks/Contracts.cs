namespace ManagedTransformers.Models;

/// <summary>What a model of any task is: a configuration, and sessions that run it. Every implementation is a <see cref="PretrainedModel"/>.</summary>
public interface IPretrainedModel : IDisposable
{
    /// <inheritdoc cref="PretrainedModel.Config"/>
    PretrainedConfig Config { get; }

    /// <inheritdoc cref="PretrainedModel.LoadOptions"/>
    LoadOptions LoadOptions { get; }

    /// <inheritdoc cref="PretrainedModel.Architecture"/>
    string Architecture { get; }

    /// <inheritdoc cref="PretrainedModel.Paths"/>
    ModulePaths Paths { get; }

    /// <inheritdoc cref="PretrainedModel.ActivationNames"/>
    IReadOnlyList<string> ActivationNames { get; }

    /// <inheritdoc cref="PretrainedModel.CreateSession"/>
    Session CreateSession(SessionOptions? options = null);
}

/// <summary>A model without a head: hidden states.</summary>
/// <remarks>transformers' base models (AutoModel).</remarks>
public interface IBaseModel : IPretrainedModel
{
    /// <inheritdoc cref="PretrainedModel.Forward"/>
    BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);
}

/// <summary>A model that fills masks.</summary>
/// <remarks>transformers' AutoModelForMaskedLM, and AutoModelForPreTraining where that has such a head.</remarks>
public interface IMaskedLM : IPretrainedModel
{
    /// <inheritdoc cref="PretrainedModel.Forward"/>
    MaskedLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);

    /// <summary>The head alone, on the hidden states of any layer: what the model would answer if it ended there (the logit lens).</summary>
    /// <param name="hiddenStates">[rows, hidden]; they stay as they are.</param>
    /// <param name="session">A session of this model.</param>
    /// <returns>[rows, vocab_size].</returns>
    /// <exception cref="ModelInputException">The hidden states are of another shape.</exception>
    FloatTensor Logits(FloatTensor hiddenStates, Session session);
}

/// <summary>A model that classifies a text or a pair of texts.</summary>
/// <remarks>transformers' AutoModelForSequenceClassification.</remarks>
public interface ISequenceClassifier : IPretrainedModel
{
    /// <inheritdoc cref="PretrainedModel.Forward"/>
    SequenceClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);
}

/// <summary>A model that labels every token.</summary>
/// <remarks>transformers' AutoModelForTokenClassification.</remarks>
public interface ITokenClassifier : IPretrainedModel
{
    /// <inheritdoc cref="PretrainedModel.Forward"/>
    TokenClassifierOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);
}

/// <summary>A model that tells whether the second of two texts follows the first.</summary>
/// <remarks>transformers' AutoModelForNextSentencePrediction, and BertForPreTraining.</remarks>
public interface INextSentence : IPretrainedModel
{
    /// <summary>Scores of "the second text follows" and "it does not", [batch, 2]; nothing else is computed.</summary>
    /// <inheritdoc cref="PretrainedModel.Forward" path="/param|/exception"/>
    FloatTensor NextSentenceLogits(ModelInputs inputs, Session session);
}

/// <summary>A decoder that predicts the next token.</summary>
/// <remarks>transformers' AutoModelForCausalLM.</remarks>
public interface ICausalLM : IPretrainedModel
{
    /// <summary>Runs the tokens after those that the session's cache holds.</summary>
    /// <inheritdoc cref="PretrainedModel.Forward"/>
    CausalLMOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null);

    /// <inheritdoc cref="DecoderForCausalLM.Forward(ReadOnlySpan{int}, Session, ForwardOptions?)"/>
    CausalLMOutput Forward(ReadOnlySpan<int> inputIds, Session session, ForwardOptions? options = null) => Forward(ModelInputs.Of(inputIds), session, options);

    /// <inheritdoc cref="DecoderForCausalLM.Step"/>
    FloatTensor Step(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> sequences, Session session) => Append(tokenIds, [], sequences, session, ScoresOf.AllTokens);

    /// <inheritdoc cref="DecoderForCausalLM.Append"/>
    FloatTensor Append(ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> lengths, ReadOnlySpan<int> sequences, Session session, ScoresOf scores);

    /// <inheritdoc cref="DecoderForCausalLM.Logits"/>
    FloatTensor Logits(FloatTensor residual, Session session);

    /// <inheritdoc cref="DecoderForCausalLM.LogitShares"/>
    float[] LogitShares(FloatTensor parts, ReadOnlySpan<float> residual, int first, int second, out float constant);
}

/// <summary>After which of the appended tokens the scores of the next one are wanted.</summary>
public enum ScoresOf
{
    /// <summary>None: the tokens are only read.</summary>
    None,

    /// <summary>The last one of each row.</summary>
    LastTokens,

    /// <summary>All.</summary>
    AllTokens,
}
