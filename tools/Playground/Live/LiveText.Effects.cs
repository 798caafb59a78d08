using ManagedTransformers.Cli;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Playground;

/// <content>Which parts pushed the answers: of a decoder from one pass, of an encoder from one without each part, so that the page stays quick.</content>
internal sealed partial class LiveText
{
    private List<PartEffect>[]? _ablations;
    private TokenCandidate[][]? _predictions;

    /// <summary>The next piece of work.</summary>
    /// <param name="part">Its number, from 0 on; each after the one before.</param>
    public EffectsAnswer Effects(int part)
    {
        _predictions ??= Predictions();
        return _model is ICausalLM decoder ? Direct(decoder) : Ablation(part);
    }

    /// <summary>The candidates at all places.</summary>
    private TokenCandidate[][] Predictions()
    {
        var rows = new FloatTensor("streams", Places.Length, _model.Config.HiddenWidth);
        for (int i = 0; i < Places.Length; i++)
            _streams[^1].Row(Places[i]).CopyTo(rows.Row(i));
        FloatTensor logits = Head(rows);
        return [.. Places.Select((_, i) => _run.Candidates(logits.Row(i), _run.Options.TopK, _model))];
    }

    private EffectsAnswer Direct(ICausalLM decoder) => Whole(1, new DirectAttribution(decoder, _run).Effects(_streams, _predictions!));

    private EffectsAnswer Ablation(int part)
    {
        (int layers, int heads) = (_model.Config.Layers, _model.Config.Heads);
        if (part == 0)
            _ablations = [.. Places.Select(_ => new List<PartEffect>())];
        (int layer, int head) = (part / (heads + 1), part % (heads + 1));
        bool mlp = head == heads;
        FloatTensor logits = new EncoderExplanation((IMaskedLM)_model, _run).LogitsWith(
            mlp ? Switches.Off($"m{layer}", _model, TokenCount) : Switches.Off($"h{layer}.{head}", _model, TokenCount), _session, Places);
        for (int i = 0; i < Places.Length; i++)
        {
            TokenCandidate answer = _predictions![i][0];
            _ablations![i].Add(new PartEffect(mlp ? ModelPart.Mlp : ModelPart.Head, layer, mlp ? -1 : head, answer.Logit - logits.Row(i)[answer.TokenId]));
        }
        int total = layers * (heads + 1);
        return part + 1 < total
            ? new EffectsAnswer(part + 1, total, Predictions: null, Vocabulary: null)
            : Whole(total, [.. _ablations!.Select((list, i) => new Attribution(AttributionMethod.Ablation, _predictions![i][0].Logit, list))]);
    }

    private EffectsAnswer Whole(int total, Attribution[] attributions) => new(
        total, total, [.. Places.Select((place, i) => ExplainData.PredictionOf(place, _predictions![i], attributions[i]))],
        ExplainData.Vocabulary(_predictions!));
}
