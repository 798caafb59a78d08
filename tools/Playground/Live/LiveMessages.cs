using System.Text.Json.Serialization;
using ManagedTransformers.Cli;

namespace ManagedTransformers.Playground;

/// <summary>What the page asks for.</summary>
/// <param name="Model">A model that was opened.</param>
/// <param name="Text">The text.</param>
/// <param name="Focus">The token whose answer is wanted; −1: the last one, or the first mask.</param>
/// <param name="Off">Parts that are switched off (<see cref="Switches"/>).</param>
/// <param name="Second">The text that activations are copied from; null: none are.</param>
/// <param name="Copies">What is copied.</param>
internal sealed record LiveRequest(string Model, string Text, int Focus, string[] Off, string? Second, string[] Copies);

/// <summary>How the next token is chosen.</summary>
/// <param name="Position">The token after which it comes; for steps it is the last one.</param>
/// <param name="Sample">Whether it is drawn; else it is the likeliest.</param>
/// <param name="Temperature">Divides the scores.</param>
/// <param name="TopP">The nucleus.</param>
/// <param name="Seed">What is drawn.</param>
/// <param name="Restart">Whether what was written before is forgotten.</param>
internal sealed record SamplingRequest(int Position, bool Sample, double Temperature, double TopP, long Seed, bool Restart);

/// <summary>What the user did wrong.</summary>
internal sealed record ErrorAnswer(string Error);

/// <summary>A model that was opened.</summary>
internal sealed record OpenAnswer(ExplainModel Model, bool Causal, string? MaskToken, string KernelLevel);

/// <summary>A text that was read, as a part of the page's data, and the answer.</summary>
/// <param name="Places">The tokens that have an answer: all of a decoder, the masks of an encoder.</param>
internal sealed record ReadAnswer(
    string Text, bool Causal, ExplainModel Model, ExplainToken[] Tokens, ExplainAttention Attention, double[][] ResidualNorms, int[] Places,
    long KeyValueBytesPerToken, PlaceAnswer Answer);

/// <summary>The answer at a place, and that of the whole model.</summary>
/// <param name="Candidates">The likeliest tokens of both, best first.</param>
/// <param name="Moved">How much of the probability moved to other tokens: ½ Σ |p − q|.</param>
internal sealed record PlaceAnswer(int Position, LiveCandidate[] Candidates, double Moved);

/// <summary>A token's probability and score with the switches, and those of the whole model.</summary>
internal sealed record LiveCandidate(int Id, string Token, string Text, double Probability, double Logit, double WholeProbability, double WholeLogit);

/// <summary>Candidates by [token].</summary>
internal sealed record LensAnswer(int[][] Ids, double[][] Probabilities, ExplainWord[] Vocabulary);

/// <summary>The predictions with their effects; null: there are more parts to ask for.</summary>
internal sealed record EffectsAnswer(int Done, int Total, ExplainPrediction[]? Predictions, ExplainWord[]? Vocabulary);

/// <summary>The distribution before and after temperature and top-p.</summary>
/// <param name="Left">Tokens that can still be drawn.</param>
internal sealed record DistributionAnswer(int[] Ids, double[] Probabilities, double[] Warped, int Left, int Total, ExplainWord[] Vocabulary);

/// <summary>A step of generation.</summary>
/// <param name="Ended">Why no more can be written; null: more can.</param>
internal sealed record StepAnswer(ExplainStep Step, ExplainWord[] Vocabulary, string? Ended);

/// <summary>The source-generated contract: snake_case names, as in the data of mtx explain's page.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LiveRequest))]
[JsonSerializable(typeof(SamplingRequest))]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(OpenAnswer))]
[JsonSerializable(typeof(ReadAnswer))]
[JsonSerializable(typeof(PlaceAnswer))]
[JsonSerializable(typeof(LensAnswer))]
[JsonSerializable(typeof(EffectsAnswer))]
[JsonSerializable(typeof(DistributionAnswer))]
[JsonSerializable(typeof(StepAnswer))]
[JsonSerializable(typeof(ExplainSource[]))]
internal sealed partial class LiveJson : JsonSerializerContext;
