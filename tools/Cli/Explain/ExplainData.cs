using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>An explanation, or a part of one, as a page's data.</summary>
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
            Vocabulary([
                .. explanation.LogitLens.SelectMany(stage => stage), .. explanation.Predictions.Select(one => one.Candidates),
                .. explanation.Steps.Select(step => step.Candidates),
            ]),
            AttentionOf(explanation.Attentions, explanation.Causal),
            NormsOf(explanation.ResidualNorms),
            new ExplainLens(
                [.. explanation.LogitLens.Select(stage => (int[][])[.. stage.Select(Ids)])],
                [.. explanation.LogitLens.Select(stage => (double[][])[.. stage.Select(Probabilities)])]),
            [.. explanation.Predictions.Select(one => PredictionOf(one.Position, one.Candidates, one.Attribution))],
            explanation.KeyValueBytesPerToken,
            [.. explanation.Steps.Select(step => StepOf(step, explanation.KeyValueBytesPerToken))],
            CodeSources.Of(explanation.Architecture, explanation.Causal, explanation.Steps.Count > 0),
            $"mtx {CodeSources.Version}");
    }

    public static ExplainToken TokenOf(ExplainedToken token) => new(token.TokenId, token.Token, token.TokenText, token.Start, token.End);

    /// <summary>Every token that a candidate names, once.</summary>
    public static ExplainWord[] Vocabulary(IEnumerable<IReadOnlyList<TokenCandidate>> candidates) =>
        [.. candidates.SelectMany(some => some)
            .DistinctBy(candidate => candidate.TokenId)
            .OrderBy(candidate => candidate.TokenId)
            .Select(candidate => new ExplainWord(candidate.TokenId, candidate.Token, candidate.TokenText))];

    /// <summary>The weights of every layer, [heads, tokens, tokens].</summary>
    public static ExplainAttention AttentionOf(IReadOnlyList<FloatTensor> layers, bool causal)
    {
        return new ExplainAttention(
            causal ? "lower" : "full", [.. layers.Select(layer => (string[])[.. Enumerable.Range(0, layer.Shape[0]).Select(head => Head(layer, head))])]);

        string Head(FloatTensor layer, int head)
        {
            int tokens = layer.Shape[1];
            var weights = new List<byte>(tokens * tokens);
            for (int from = 0; from < tokens; from++)
                foreach (float weight in layer.Row(head * tokens + from)[..(causal ? from + 1 : tokens)])
                    weights.Add(Quantized(weight));
            return Convert.ToBase64String([.. weights]);
        }
    }

    /// <summary>The norms, [stages, tokens].</summary>
    public static double[][] NormsOf(FloatTensor norms) =>
        [.. Enumerable.Range(0, norms.Shape[0]).Select(stage => (double[])[.. norms.Row(stage).ToArray().Select(norm => Rounded(norm))])];

    /// <summary>What is predicted at a place, and what pushed it.</summary>
    public static ExplainPrediction PredictionOf(int position, IReadOnlyList<TokenCandidate> candidates, Attribution attribution)
    {
        ILookup<(ModelPart, int), PartEffect> parts = attribution.Effects.ToLookup(effect => (effect.Part, effect.Layer));
        int layers = attribution.Effects.Max(effect => effect.Layer) + 1;
        double? Alone(ModelPart part) => parts[(part, -1)].FirstOrDefault() is PartEffect effect ? Rounded(effect.Effect) : null;
        var effects = new ExplainEffects(
            Alone(ModelPart.Embedding),
            Alone(ModelPart.Bias),
            [.. Enumerable.Range(0, layers)
                .Select(layer => (double[])[.. parts[(ModelPart.Head, layer)].OrderBy(head => head.Head).Select(head => Rounded(head.Effect))])],
            [.. Enumerable.Range(0, layers).Select(layer => Rounded(parts[(ModelPart.Mlp, layer)].Single().Effect))]);
        return new ExplainPrediction(
            position,
            Ids(candidates),
            Probabilities(candidates),
            [.. candidates.Select(candidate => Rounded(candidate.Logit))],
            new ExplainAttribution(attribution.Method == AttributionMethod.Direct ? "direct" : "ablation", Rounded(attribution.Value), effects));
    }

    public static ExplainStep StepOf(ExplainedStep step, long bytesPerToken) => new(
        step.Read,
        step.Keys,
        step.Keys * bytesPerToken,
        Ids(step.Candidates),
        Probabilities(step.Candidates),
        TokenOf(step.Chosen),
        [.. step.Attentions.Select(layer => Convert.ToBase64String([.. layer.ToArray().Select(Quantized)]))]);

    public static int[] Ids(IReadOnlyList<TokenCandidate> candidates) => [.. candidates.Select(candidate => candidate.TokenId)];

    public static double[] Probabilities(IReadOnlyList<TokenCandidate> candidates) => [.. candidates.Select(candidate => Rounded(candidate.Probability))];

    private static byte Quantized(float weight) => (byte)Math.Round(Math.Clamp(weight, 0, 1) * 255);

    /// <summary>Six significant digits: pages are read by people, and floats have hardly more.</summary>
    public static double Rounded(double value) => value == 0 || !double.IsFinite(value)
        ? value
        : Math.Round(value, Math.Clamp(Digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 15));
}
