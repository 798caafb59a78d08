using ManagedTransformers.Cli;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Playground;

/// <summary>A text that a model has read with some changes, and what the panels show of it, computed as it is asked for.</summary>
internal sealed partial class LiveText : IDisposable
{
    private readonly ModelExplainer _explainer;
    private readonly PretrainedModel _model;
    private readonly ExplanationRun _run;
    private readonly Session _session;
    private readonly FloatTensor[] _streams;            // after the embeddings and after each layer, [tokens, hidden]
    private readonly FloatTensor[] _attentions;         // of each layer, [heads, tokens, tokens]

    /// <summary>Reads the text: one pass.</summary>
    /// <exception cref="ModelInputException">The text is empty, too long, or has no mask where it needs one.</exception>
    public LiveText(ModelExplainer explainer, string text, IReadOnlyList<Intervention> changes)
    {
        (_explainer, _model, Text) = (explainer, explainer.Model, text);
        _run = explainer.Begin(text, new ExplanationOptions { Interventions = changes });
        PretrainedConfig config = _model.Config;
        Places = config.IsCausal ? [.. Enumerable.Range(0, TokenCount)] : explainer.Masks(_run);
        _session = _model.CreateSession(new SessionOptions { MaxLength = config.IsCausal ? Room : null });
        using ActivationTrace trace = _run.Trace(_session, _model.Paths.Embeddings, _model.Paths.Layers);
        ModelOutput output = _model.Forward(_run.Inputs, _session, new ForwardOptions { OutputAttentions = true, LogitsAt = [] });
        _streams = [.. trace.Passes[0].Tensors.Select(stream => new FloatTensor(stream.ToArray(), stream.Name, TokenCount, config.HiddenWidth))];
        _attentions = [.. output.Attentions!.Select(layer => new FloatTensor(layer.ToArray(), layer.Name, config.Heads, TokenCount, TokenCount))];
    }

    public string Text { get; }
    public int TokenCount => _run.Ids.Length;

    /// <summary>The tokens that have an answer.</summary>
    public int[] Places { get; }

    /// <summary>Most tokens with those that are written after the text.</summary>
    private int Room => ExplanationOptions.MaxTokens(_model.Config);

    private KernelOptions Kernels => _model.LoadOptions.Kernels;

    public ExplainToken[] Tokens() => [.. _run.Tokens().Select(ExplainData.TokenOf)];

    public ExplainAttention Attention() => ExplainData.AttentionOf(_attentions, _model.Config.IsCausal);

    public double[][] Norms() => ExplainData.NormsOf(ExplanationRun.Norms(_streams));

    /// <summary>The scores at a place, [vocab_size].</summary>
    public float[] Scores(int place) => Head(new FloatTensor(_streams[^1].Row(place).ToArray(), "stream", 1, _model.Config.HiddenWidth)).ToArray();

    /// <summary>The likeliest tokens by some scores, and by others, all with what the former give them.</summary>
    public Dictionary<int, TokenCandidate> Candidates(float[] scores, float[] others, int count)
    {
        double sum = Softmax.LogSumExp(scores, Kernels);
        return _run.Candidates(scores, count, _model).Concat(_run.Candidates(others, count, _model))
            .Select(one => new TokenCandidate(one.TokenId, one.Token, one.TokenText, scores[one.TokenId] - sum, scores[one.TokenId]))
            .DistinctBy(one => one.TokenId).ToDictionary(one => one.TokenId);
    }

    /// <summary>½ Σ |p − q|, the total variation distance of two answers.</summary>
    public double Moved(float[] scores, float[] others)
    {
        if (scores == others)
            return 0;
        float[] p = Probabilities(scores), q = Probabilities(others);
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
            sum += Math.Abs(p[i] - q[i]);
        return sum / 2;
    }

    /// <summary>The candidates of every token if the model ended after a layer; 0: after the embeddings.</summary>
    public LensAnswer Lens(int stage)
    {
        TokenCandidate[][] places = _run.Lens(_streams[stage], Head, _model);
        return new LensAnswer([.. places.Select(ExplainData.Ids)], [.. places.Select(ExplainData.Probabilities)], ExplainData.Vocabulary(places));
    }

    public void Dispose()
    {
        _changes?.Dispose();
        _session.Dispose();
    }

    private FloatTensor Head(FloatTensor hidden) =>
        _model is ICausalLM decoder ? decoder.Logits(hidden, _session) : ((IMaskedLM)_model).Logits(hidden, _session);

    private float[] Probabilities(float[] scores)
    {
        var probabilities = new float[scores.Length];
        Softmax.Run(scores, probabilities, Kernels);
        return probabilities;
    }
}
