namespace ManagedTransformers.Diagnostics;

/// <summary>How a model treated one text: every number is of a real pass.</summary>
public sealed record ModelExplanation
{
    /// <summary>The model's class in transformers.</summary>
    public required string Architecture { get; init; }

    /// <summary>The sizes: layers, heads, hidden width, vocabulary.</summary>
    public required PretrainedConfig Config { get; init; }

    /// <summary>The text.</summary>
    public required string Text { get; init; }

    /// <summary>Whether a token sees only itself and those before it: a decoder that predicts the next token; else an encoder that fills masks.</summary>
    public bool Causal => Config.IsCausal;

    /// <summary>What the model read, special tokens included.</summary>
    public required IReadOnlyList<ExplainedToken> Tokens { get; init; }

    /// <summary>Attention probabilities of each layer, [heads, tokens, tokens]: row = the token that looks, column = the token it looks at; rows sum to
    /// 1.</summary>
    public required IReadOnlyList<FloatTensor> Attentions { get; init; }

    /// <summary>The Euclidean length of the residual stream (an encoder's hidden state), [1 + layers, tokens]: after the embeddings, then after each
    /// layer.</summary>
    public required FloatTensor ResidualNorms { get; init; }

    /// <summary>The likeliest tokens if the model ended there, [1 + layers][tokens][candidates]: the final norm (decoders) and the head on the stream after the
    /// embeddings and after each layer. The last layer's are the model's own.</summary>
    /// <remarks>nostalgebraist 2020, "interpreting GPT: the logit lens".</remarks>
    public required IReadOnlyList<IReadOnlyList<IReadOnlyList<TokenCandidate>>> LogitLens { get; init; }

    /// <summary>What the model predicts: a decoder after every token, an encoder at every mask.</summary>
    public required IReadOnlyList<ExplainedPrediction> Predictions { get; init; }

    /// <summary>Tokens that a decoder wrote, one by one; empty unless <see cref="ExplanationOptions.Generate"/> asks for them.</summary>
    public IReadOnlyList<ExplainedStep> Steps { get; init; } = [];

    /// <summary>Bytes of a decoder's KV cache per token: keys and values of all layers, in float32; 0 for encoders, which have none.</summary>
    public long KeyValueBytesPerToken { get; init; }
}

/// <summary>A token that the model read or wrote.</summary>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it, such as <c>Ġreturn</c>.</param>
/// <param name="TokenText">As text, such as <c>" return"</c>; U+FFFD where the token is a part of a character.</param>
/// <param name="Start">Where it starts in the text, in Unicode code points; −1: it is not of the text (a special token around it).</param>
/// <param name="End">Where it ends, exclusive; −1: it is not of the text.</param>
public sealed record ExplainedToken(int TokenId, string Token, string TokenText, int Start, int End);

/// <summary>A token that could stand at a place.</summary>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it.</param>
/// <param name="TokenText">As text.</param>
/// <param name="LogProbability">log softmax(logits)[id], natural.</param>
/// <param name="Logit">The score before softmax.</param>
public sealed record TokenCandidate(int TokenId, string Token, string TokenText, double LogProbability, double Logit)
    : TokenProbability(TokenId, Token, TokenText, LogProbability);

/// <summary>What the model says about one place, and which of its parts said it.</summary>
/// <param name="Position">The token that was read there: the one before the predicted token (decoders), or the mask (encoders).</param>
/// <param name="Candidates">The likeliest tokens, best first; the first is the answer, the second its runner-up.</param>
/// <param name="Attribution">Which heads and MLPs pushed the answer.</param>
public sealed record ExplainedPrediction(int Position, IReadOnlyList<TokenCandidate> Candidates, Attribution Attribution);

/// <summary>How the effect of a part is measured.</summary>
public enum AttributionMethod
{
    /// <summary>Decoders: what the part itself adds to logit(answer) − logit(runner-up) through the final LayerNorm, whose scale is frozen, and the head. The
    /// effects of all parts sum to that difference.</summary>
    Direct,

    /// <summary>Encoders, where later layers and a non-linear head stand between a part and the answer: logit(answer) of the whole model minus that of the
    /// model in which the part's output is zero. The effects do not sum to anything.</summary>
    Ablation,
}

/// <summary>The effects of a model's parts on an answer.</summary>
/// <param name="Method">How they are measured.</param>
/// <param name="Value">What was measured on the whole model: logit(answer) − logit(runner-up) where <see cref="AttributionMethod.Direct"/>, logit(answer) where
/// <see cref="AttributionMethod.Ablation"/>.</param>
/// <param name="Effects">Part by part: a decoder's embedding and biases, then layer by layer its heads and its MLP.</param>
/// <remarks>Direct logit attribution: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; removal of heads: Michel et al. 2019,
/// arXiv:1905.10650.</remarks>
public sealed record Attribution(AttributionMethod Method, double Value, IReadOnlyList<PartEffect> Effects);

/// <summary>A part of a model.</summary>
public enum ModelPart
{
    /// <summary>The token's embedding.</summary>
    Embedding,

    /// <summary>The biases of the final LayerNorm and of the head, which are there whatever the text.</summary>
    Bias,

    /// <summary>An attention head.</summary>
    Head,

    /// <summary>A layer's feed-forward block.</summary>
    Mlp,
}

/// <summary>The effect of one part.</summary>
/// <param name="Part">Which kind.</param>
/// <param name="Layer">Its layer; −1 for the embedding and the biases.</param>
/// <param name="Head">Its number in the layer; −1 where it is no head.</param>
/// <param name="Effect">In logits: positive where it pushed the answer.</param>
public sealed record PartEffect(ModelPart Part, int Layer, int Head, double Effect);

/// <summary>One step of generation.</summary>
/// <param name="Read">Tokens that the pass read: the whole text in the first step, then one, whose keys and values are added to the cache.</param>
/// <param name="Keys">Tokens in the KV cache after it.</param>
/// <param name="Candidates">What could follow, best first.</param>
/// <param name="Chosen">What was chosen: the likeliest.</param>
/// <param name="Attentions">Whom the last token that was read looked at, layer by layer, [heads, keys].</param>
public sealed record ExplainedStep(int Read, int Keys, IReadOnlyList<TokenCandidate> Candidates, ExplainedToken Chosen, IReadOnlyList<FloatTensor> Attentions);
