using ManagedTransformers.Models;

namespace ManagedTransformers;


/// <summary>A model and its tokenizer, made for one task. Pipelines are thread-safe: every call runs in a session of its own.</summary>
/// <remarks>transformers' Pipeline.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
public abstract class Pipeline : IDisposable
{
    private readonly bool _ownsModel;
    private string? _modelId;

    private protected Pipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        TokenizerFit.Check(tokenizer, model.Config);
        (Model, Tokenizer, _ownsModel) = (model, TokenizerFit.WithSpecialTokens(tokenizer, model.Config), ownsModel);
        Sessions = new SessionPool(model);
        FullCollections.ReleaseUnusedOf(Sessions);
    }

    /// <summary>The model.</summary>
    public PretrainedModel Model { get; }

    /// <summary>The tokenizer, with the special tokens that the model wants around a text.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What the model is called in answers, logs, and where a vector is kept: <see cref="PipelineOptions.ModelId"/>, else a hub model's
    /// <c>org/name</c> or the name of the checkpoint's directory; of a model that comes from neither, class and
    /// <see cref="PretrainedModel.Fingerprint"/>.</summary>
    public string ModelId => _modelId ??= Files?.Name ?? $"{Model.Architecture}-{Model.Fingerprint}";

    /// <summary>The checkpoint that it was opened from; null where it was made of parts.</summary>
    internal ModelFiles? Files { get; private set; }

    internal SessionPool Sessions { get; }
    private string DebuggerText => $"{GetType().Name} with {Model.Architecture}: {Model.Config.Sizes}{(Model.IsDisposed ? ", disposed" : "")}";

    /// <summary>The token that begins a text: the tokenizer's beginning-of-text token, else its end token, else what config.json says; null: there is
    /// none.</summary>
    private protected int? BeginningOfText => Tokenizer.SpecialTokens.BosTokenId ?? Tokenizer.SpecialTokens.EosTokenId ?? Model.Config.BosTokenId;

    /// <summary>Notes where the pipeline comes from.</summary>
    internal void ComesFrom(ModelFiles? files, string? modelId) => (Files, _modelId) = (files, modelId);

    /// <summary>Makes a pipeline of another's parts, which stay the other's.</summary>
    private protected static T Share<T>(Pipeline other, Func<PretrainedModel, Tokenizer, T> create) where T : Pipeline
    {
        ArgumentNullException.ThrowIfNull(other);
        T pipeline = create(other.Model, other.Tokenizer);
        pipeline.ComesFrom(other.Files, other._modelId);
        return pipeline;
    }

    /// <summary>Gives the sessions back, and the model where the pipeline loaded it itself. Calls that are running finish.</summary>
    public void Dispose()
    {
        Sessions.Dispose();
        if (_ownsModel)
            Model.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>How a pipeline is loaded.</summary>
public sealed record PipelineOptions
{
    /// <summary>The defaults.</summary>
    public static PipelineOptions Default => new();

    /// <summary>Kernel level, threads and strictness of the model.</summary>
    public LoadOptions Load { get; init; } = LoadOptions.Default;

    /// <summary>What the tokenizer's files do not say themselves; null: nothing is missing.</summary>
    public TokenizerLoadOptions? Tokenizer { get; init; }

    /// <summary>What the model is called where an answer says which model it is from (<see cref="Pipeline.ModelId"/>); null: the name of its
    /// directory, or of its repository on the hub.</summary>
    public string? ModelId { get; init; }
}
