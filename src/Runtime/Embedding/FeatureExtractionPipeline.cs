namespace ManagedTransformers;

/// <summary>The last hidden state of every token of a text: what other models build on. Reads encoders and decoders.</summary>
/// <remarks>transformers' FeatureExtractionPipeline. Whatever head a checkpoint was saved with, its body is loaded.</remarks>
public sealed class FeatureExtractionPipeline : EncoderPipeline
{
    private FeatureExtractionPipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        RequireBody(model);
    }

    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static FeatureExtractionPipeline Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static FeatureExtractionPipeline FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <summary>Makes the pipeline of parts, which stay the caller's.</summary>
    /// <param name="model">A model; of one with a head, what is below the head is used.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="ConfigException">The model has no hidden states, or the tokenizer does not fit it.</exception>
    public static FeatureExtractionPipeline Create(PretrainedModel model, Tokenizer tokenizer) => new(BodyOf(model), tokenizer, ownsModel: false);

    /// <summary>Makes the pipeline of what another one has opened, with a head or without: its model below the head, its tokenizer and its checkpoint's
    /// other files. The weights are there once. They stay the other's, which is disposed last.</summary>
    /// <param name="other">Any pipeline.</param>
    /// <exception cref="ConfigException">The model has no hidden states.</exception>
    public static FeatureExtractionPipeline Create(Pipeline other) => Share(other, Create);

    /// <summary>Extracts the features of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="truncation">Cut a text that is too long at its end, instead of refusing it.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <returns>[1, tokens, hidden], special tokens included.</returns>
    /// <exception cref="ModelInputException">The text is empty, or too long and <paramref name="truncation"/> is off.</exception>
    public FloatTensor Extract(string text, bool truncation = false, CancellationToken cancellationToken = default) =>
        Extract([text], truncation, progress: null, cancellationToken)[0];

    /// <summary>Extracts the features of many texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="truncation">Cut a text that is too long at its end, instead of refusing it.</param>
    /// <param name="progress">Told how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <returns>For every text [1, tokens, hidden], special tokens included.</returns>
    /// <exception cref="ModelInputException">A text is empty, or too long and <paramref name="truncation"/> is off.</exception>
    public IReadOnlyList<FloatTensor> Extract(
        IReadOnlyList<string> texts, bool truncation = false, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var features = new FloatTensor[texts.Count];
        int width = Model.Config.HiddenWidth;
        RunBody(
            features.Length,
            i => Texts.Row(texts[i], pair: null, truncation, cancellationToken: cancellationToken),
            (i, hidden) => features[i] = new FloatTensor(hidden.ToArray(), "last_hidden_state", 1, hidden.Length / width, width),
            progress,
            cancellationToken);
        return features;
    }

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static FeatureExtractionPipeline Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadBody, (model, tokenizer) => new FeatureExtractionPipeline(model, tokenizer, ownsModel: true));
}
