using ManagedTransformers.Cli;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Playground;

/// <content>A decoder goes on with its text, token by token, with the changes that it read it with.</content>
internal sealed partial class LiveText
{
    private const int Drawn = 20;
    private ActivationTrace? _changes;
    private int _written, _last;

    /// <summary>What temperature and top-p make of the distribution after a token.</summary>
    public DistributionAnswer Distribution(SamplingRequest request)
    {
        float[] scores = Scores(request.Position);
        TokenCandidate[] best = _run.Candidates(scores, Drawn, _model);
        LogitsProcessors.Process(Warpers(request), [], scores);
        float[] warped = Probabilities(scores);
        return new DistributionAnswer(ExplainData.Ids(best), ExplainData.Probabilities(best),
            [.. best.Select(one => ExplainData.Rounded(warped[one.TokenId]))], warped.Count(p => p > 0), warped.Length, ExplainData.Vocabulary([best]));
    }

    /// <summary>Writes one token: the likeliest, or one that is drawn as <c>mtx generate --do-sample --top-k 0 --seed N</c> draws it.</summary>
    /// <exception cref="ModelInputException">There is no room for more.</exception>
    public StepAnswer Step(SamplingRequest request)
    {
        if (request.Restart)
            _written = 0;
        if (TokenCount + _written >= Room)
            throw new ModelInputException($"The text is {TokenCount + _written} tokens with those that were written, and the page shows at most {Room}.");
        (float[] scores, FloatTensor[] attentions) = _written == 0 ? AfterText() : AfterLast();
        TokenCandidate[] candidates = _run.Candidates(scores, Drawn, _model);
        _last = Choose(scores, request);
        var step = new ExplainedStep(_written == 0 ? TokenCount : 1, TokenCount + _written, candidates, _run.Token(_last), attentions);
        _written++;
        string? ended = _explainer.EndTokens.Contains(_last) ? "the model wrote the end token" : TokenCount + _written >= Room ? "there is no more room" : null;
        return new StepAnswer(
            ExplainData.StepOf(step, 2L * _model.Config.Layers * _model.Config.KeyValueHeads * _model.Config.HeadWidth * sizeof(float)),
            ExplainData.Vocabulary([candidates]), ended);
    }

    private (float[] Scores, FloatTensor[] Attentions) AfterText()
    {
        _session.Cache!.Truncate(0, TokenCount);
        return (Scores(TokenCount - 1), [.. _attentions.Select(layer => GreedySteps.LastQuery(layer, TokenCount, TokenCount))]);
    }

    private (float[] Scores, FloatTensor[] Attentions) AfterLast()
    {
        _changes ??= _run.Trace(_session);
        CausalLMOutput output = ((ICausalLM)_model).Forward([_last], _session, new ForwardOptions { OutputAttentions = true });
        return (output.Logits.ToArray(), [.. output.Attentions!.Select(layer => GreedySteps.LastQuery(layer, 1, TokenCount + _written))]);
    }

    private int Choose(float[] scores, SamplingRequest request)
    {
        if (!request.Sample)
            return TokenNoise.Best(scores);
        LogitsProcessors.Process(Warpers(request), [], scores);
        return new TokenNoise(request.Seed, number: 0).Draw(scores, _written);
    }

    private LogitsProcessor[] Warpers(SamplingRequest request) => LogitsProcessors.For(
        new GenerationOptions { DoSample = true, Temperature = request.Temperature, TopP = request.TopP, TopK = 0 },
        promptLength: TokenCount, maxLength: Room, eosTokenId: [], Kernels);
}
