using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>An explanation as a page's data.</summary>
internal static class ExplainData
{
    private const int Digits = 6;

    /// <summary>The data.</summary>
    /// <param name="explanation">What was computed.</param>
    /// <param name="model">The model's name, for people.</param>
    /// <param name="title">The page's title.</param>
    /// <param name="focus">The token that it opens with.</param>
    public static ExplainResult Of(ModelExplanation explanation, string model, string title, int focus)
    {
        PretrainedConfig config = explanation.Config;
        return new ExplainResult(
            title,
            explanation.Text,
            explanation.Causal,
            new ExplainModel(model, explanation.Architecture, config.Layers, config.Heads, config.HiddenWidth, config.VocabSize),
            focus,
            [.. explanation.Tokens.Select(TokenOf)],
            Vocabulary(explanation),
            AttentionOf(explanation),
            [.. Enumerable.Range(0, config.Layers + 1)
                .Select(stage => (double[])[.. explanation.ResidualNorms.Row(stage).ToArray().Select(norm => Rounded(norm))])],
            new ExplainLens(
                [.. explanation.LogitLens.Select(stage => (int[][])[.. stage.Select(Ids)])],
                [.. explanation.LogitLens.Select(stage => (double[][])[.. stage.Select(Probabilities)])]),
            [.. explanation.Predictions.Select(one => PredictionOf(one, config.Layers))],
            explanation.KeyValueBytesPerToken,
            [.. explanation.Steps.Select(step => StepOf(step, explanation.KeyValueBytesPerToken))],
            CodeSources.Of(explanation.Architecture, explanation.Causal, explanation.Steps.Count > 0),
            $"mtx {CodeSources.Version}");
    }

    private static ExplainToken TokenOf(ExplainedToken token) => new(token.TokenId, token.Token, token.TokenText, token.Start, token.End);

    /// <summary>Every token that a candidate names, once.</summary>
    private static ExplainWord[] Vocabulary(ModelExplanation explanation) =>
        [.. explanation.LogitLens.SelectMany(stage => stage)
            .Concat(explanation.Predictions.Select(one => one.Candidates))
            .Concat(explanation.Steps.Select(step => step.Candidates))
            .SelectMany(candidates => candidates)
            .DistinctBy(candidate => candidate.TokenId)
            .OrderBy(candidate => candidate.TokenId)
            .Select(candidate => new ExplainWord(candidate.TokenId, candidate.Token, candidate.TokenText))];

    private static ExplainAttention AttentionOf(ModelExplanation explanation)
    {
        int tokens = explanation.Tokens.Count;
        return new ExplainAttention(
            explanation.Causal ? "lower" : "full",
            [.. explanation.Attentions.Select(layer => (string[])[.. Enumerable.Range(0, explanation.Config.Heads).Select(head => Head(layer, head))])]);

        string Head(FloatTensor layer, int head)
        {
            var weights = new List<byte>(tokens * tokens);
            for (int from = 0; from < tokens; from++)
                foreach (float weight in layer.Row(head * tokens + from)[..(explanation.Causal ? from + 1 : tokens)])
                    weights.Add(Quantized(weight));
            return Convert.ToBase64String([.. weights]);
        }
    }

    private static ExplainPrediction PredictionOf(ExplainedPrediction prediction, int layers)
    {
        ILookup<(ModelPart, int), PartEffect> parts = prediction.Attribution.Effects.ToLookup(effect => (effect.Part, effect.Layer));
        double? Alone(ModelPart part) => parts[(part, -1)].FirstOrDefault() is PartEffect effect ? Rounded(effect.Effect) : null;
        var effects = new ExplainEffects(
            Alone(ModelPart.Embedding),
            Alone(ModelPart.Bias),
            [.. Enumerable.Range(0, layers)
                .Select(layer => (double[])[.. parts[(ModelPart.Head, layer)].OrderBy(head => head.Head).Select(head => Rounded(head.Effect))])],
            [.. Enumerable.Range(0, layers).Select(layer => Rounded(parts[(ModelPart.Mlp, layer)].Single().Effect))]);
        return new ExplainPrediction(
            prediction.Position,
            Ids(prediction.Candidates),
            Probabilities(prediction.Candidates),
            [.. prediction.Candidates.Select(candidate => Rounded(candidate.Logit))],
            new ExplainAttribution(prediction.Attribution.Method == AttributionMethod.Direct ? "direct" : "ablation",
                Rounded(prediction.Attribution.Value), effects));
    }

    private static ExplainStep StepOf(ExplainedStep step, long bytesPerToken) => new(
        step.Read,
        step.Keys,
        step.Keys * bytesPerToken,
        Ids(step.Candidates),
        Probabilities(step.Candidates),
        TokenOf(step.Chosen),
        [.. step.Attentions.Select(layer => Convert.ToBase64String([.. layer.ToArray().Select(Quantized)]))]);

    private static int[] Ids(IReadOnlyList<TokenCandidate> candidates) => [.. candidates.Select(candidate => candidate.TokenId)];

    private static double[] Probabilities(IReadOnlyList<TokenCandidate> candidates) => [.. candidates.Select(candidate => Rounded(candidate.Probability))];

    private static byte Quantized(float weight) => (byte)Math.Round(Math.Clamp(weight, 0, 1) * 255);

    /// <summary>Six significant digits: pages are read by people, and floats have hardly more.</summary>
    private static double Rounded(double value) => value == 0 || !double.IsFinite(value)
        ? value
        : Math.Round(value, Math.Clamp(Digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 15));
}
