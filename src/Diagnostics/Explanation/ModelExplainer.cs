using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Diagnostics;

/// <summary>
/// Explains how a model treats a text: its tokens, the attention of every head, the residual stream, what each layer would answer (the logit lens), and which
/// heads and MLPs pushed the answer. Everything is read from passes of the model itself.
/// </summary>
/// <remarks>For language models: decoders (<see cref="ICausalLM"/>), which predict the next token, and masked language models, whose text has a mask. <c>mtx explain</c> makes a
/// page of it.</remarks>
/// <example><code>
/// using var explainer = ModelExplainer.Load("models/demo-codegen");
/// ModelExplanation explanation = explainer.Explain("def add(a, b):\n    return a +");
/// PartEffect strongest = explanation.Predictions[^1].Attribution.Effects.MaxBy(effect => effect.Effect)!;
/// </code></example>
public sealed class ModelExplainer : EncoderPipeline
{
    private readonly IReadOnlyList<int> _endTokens;
    private readonly int? _maskId;

    private ModelExplainer(PretrainedModel model, Tokenizer tokenizer, ReadOnlyMemory<byte>? generationConfig, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        if (model is not (ICausalLM or IMaskedLM))
            throw new ConfigException($"{model.Architecture} predicts no token; what can be explained is {ModelFamilies.NamesOfTask(typeof(ICausalLM))} (the next token), and " +
                $"{ModelFamilies.NamesOfTask(typeof(IMaskedLM))} (a mask) (config.json, architectures).");
        if (model is ICausalLM)
            _endTokens = GenerationDefaults.Of(generationConfig, model.Config, tokenizer).Options.EosTokenId ?? [];
        else
            (_endTokens, (MaskToken, _maskId)) = ([], MaskOf(tokenizer));
    }

    /// <summary>The text of the mask, such as <c>&lt;mask></c>; null for decoders.</summary>
    public string? MaskToken { get; }

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static ModelExplainer Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static ModelExplainer FromFiles(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create"/>
    public static ModelExplainer Create(PretrainedModel model, Tokenizer tokenizer) => new(model, tokenizer, generationConfig: null, ownsModel: false);

    /// <summary>Explains how the model treats a text.</summary>
    /// <param name="text">The text; for an encoder with at least one mask.</param>
    /// <param name="options">How many candidates, how many tokens to generate.</param>
    /// <param name="progress">Told after each pass.</param>
    /// <param name="cancellationToken">Ends the work between two passes.</param>
    /// <exception cref="ModelInputException">The text is empty, too long (<see cref="ExplanationOptions.MaxTokens"/>) or has no mask; or tokens are to be generated
    /// by an encoder.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public ModelExplanation Explain(
        string text, ExplanationOptions? options = null, IProgress<ExplanationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= ExplanationOptions.Default;
        options.Validate();
        Encoding row = Texts.Encode(text, advice: "Shorten it.");
        CheckLength(row, options);
        var run = new ExplanationRun(Tokenizer, row, options, progress, cancellationToken);
        return Model is ICausalLM decoder
            ? new DecoderExplanation(decoder, run).Explain(text, _endTokens)
            : new EncoderExplanation((IMaskedLM)Model, run, ToInputs([row])).Explain(text, MaskColumns(row));
    }

    private static ModelExplainer Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new ModelExplainer(model, tokenizer, files.Find(GenerationDefaults.File), ownsModel: true));

    private static (string Token, int Id) MaskOf(Tokenizer tokenizer) => FillMaskPipeline.FindMask(tokenizer);

    private int[] MaskColumns(Encoding row)
    {
        int[] columns = [.. Enumerable.Range(0, row.Length).Where(column => row.Ids[column] == _maskId)];
        return columns.Length > 0
            ? columns
            : throw new ModelInputException($"The text has no mask, and {Model.Architecture} predicts nothing else. Write {MaskToken} where a token is to be filled in.");
    }

    private void CheckLength(Encoding row, ExplanationOptions options)
    {
        if (options.Generate > 0 && Model is not ICausalLM)
            throw new ModelInputException($"{options.Generate} tokens are to be generated, and {Model.Architecture} is an encoder, which generates none. Use a decoder ({ModelFamilies.NamesOfTask(typeof(ICausalLM))}).");
        (int most, int tokens) = (ExplanationOptions.MaxTokens(Model.Config), row.Length + options.Generate);
        if (tokens <= most)
            return;
        string generated = options.Generate > 0 ? $" with the {options.Generate} that are to be generated" : "";
        throw new ModelInputException($"The text is {tokens} tokens{generated}; at most {most} of this model can be explained at once, because every one of its " +
            $"{Model.Config.Layers} · {Model.Config.Heads} heads has a weight for every pair of tokens. Shorten the text.");
    }
}
