using ManagedTransformers.Cli;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Playground;

/// <summary>A model of the page, and what it reads now: a text with its switches, and the same text as the whole model reads it, to compare with.</summary>
internal sealed class LiveModel
{
    /// <summary>Candidates of an answer, from either side.</summary>
    private const int Shown = 12;

    private readonly ModelExplainer _explainer;
    private readonly ExplainModel _sizes;
    private LiveText? _whole, _text;

    private LiveModel(string name, ModelExplainer explainer)
    {
        _explainer = explainer;
        PretrainedConfig config = explainer.Model.Config;
        _sizes = new ExplainModel(name, explainer.Model.Architecture, config.Layers, config.Heads, config.HiddenWidth, config.VocabSize);
    }

    /// <summary>The text that was read last, with its switches.</summary>
    public LiveText Text => _text ?? throw new ModelInputException("No text was read yet.");

    private bool Causal => _explainer.Model.Config.IsCausal;

    /// <summary>Opens the files of a checkpoint.</summary>
    public static LiveModel Open(string name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files) => new(name, ModelExplainer.FromFiles(files));

    public OpenAnswer Describe() => new(_sizes, Causal, _explainer.MaskToken, _explainer.Model.LoadOptions.Kernels.Level.ToString());

    /// <summary>Reads a text. What is wrong with the request leaves the text that was read before.</summary>
    /// <exception cref="ModelInputException">The text cannot be read, or a switch names what is not there.</exception>
    public ReadAnswer Read(LiveRequest request)
    {
        LiveText whole = _whole?.Text == request.Text ? _whole : new LiveText(_explainer, request.Text, []);
        Intervention[] changes =
        [
            .. request.Off.Select(name => Switches.Off(name, _explainer.Model, whole.TokenCount)),
            .. request.Copies.Length == 0 ? [] : CopiesOf(request, whole.TokenCount),
        ];
        LiveText text = changes.Length == 0 ? whole : new LiveText(_explainer, request.Text, changes);
        if (_text != _whole)
            _text?.Dispose();
        if (_whole != whole)
            _whole?.Dispose();
        (_whole, _text) = (whole, text);
        return new ReadAnswer(request.Text, Causal, _sizes, text.Tokens(), text.Attention(), text.Norms(), text.Places,
            2L * _sizes.Layers * _explainer.Model.Config.KeyValueHeads * _explainer.Model.Config.HeadWidth * sizeof(float), Predict(request.Focus));
    }

    /// <summary>The answer at a place, and the whole model's.</summary>
    public PlaceAnswer Predict(int position)
    {
        int place = Text.Places.Contains(position) ? position : Causal ? Text.Places[^1] : Text.Places[0];
        float[] now = Text.Scores(place), whole = _whole == _text ? now : _whole!.Scores(place);
        Dictionary<int, TokenCandidate> changed = Text.Candidates(now, whole, Shown), before = Text.Candidates(whole, now, Shown);
        return new PlaceAnswer(
            place,
            [.. changed.Values.OrderByDescending(one => one.LogProbability).Select(one => new LiveCandidate(
                one.TokenId, one.Token, one.TokenText, ExplainData.Rounded(one.Probability), ExplainData.Rounded(one.Logit),
                ExplainData.Rounded(before[one.TokenId].Probability), ExplainData.Rounded(before[one.TokenId].Logit)))],
            ExplainData.Rounded(Text.Moved(now, whole)));
    }

    /// <summary>The code behind the panels.</summary>
    public ExplainSource[] Sources() => CodeSources.Of(_sizes.Architecture, Causal, generation: Causal);

    private IEnumerable<Intervention> CopiesOf(LiveRequest request, int tokens)
    {
        if (string.IsNullOrEmpty(request.Second))
            throw new ModelInputException("There is no second text to copy from. Write one.");
        (string Activation, Switches.Part Part)[] copies = [.. request.Copies.Select(name => Switches.Copy(name, _explainer.Model, tokens))];
        ExplanationRun run = _explainer.Begin(request.Second, ExplanationOptions.Default);
        if (run.Ids.Length != tokens)
            throw new ModelInputException($"The second text is {run.Ids.Length} tokens and the first {tokens}; an activation is copied from a token to the "
                + "token at the same place. Write two texts of equally many tokens.");
        using Session session = _explainer.Model.CreateSession(new SessionOptions { MaxLength = Causal ? tokens : null });
        using ActivationTrace trace = run.Trace(session, [.. copies.Select(copy => copy.Activation).Distinct()]);
        _explainer.Model.Forward(run.Inputs, session, new ForwardOptions { LogitsAt = [] });
        return [.. copies.Select(copy => Switches.Put(copy.Activation, copy.Part, trace[copy.Activation]))];
    }
}
