namespace ManagedTransformers;

/// <summary>A model and its tokenizer, made for one task. Pipelines are thread-safe: every call runs in a session of its own.</summary>
/// <remarks>transformers' Pipeline.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
public abstract class Pipeline : IDisposable
{
    private readonly bool _ownsModel;

    private protected Pipeline(PretrainedModel model, Tokenizer tokenizer, bool ownsModel)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        TokenizerFit.Check(tokenizer, model.Config);
        (Model, Tokenizer, _ownsModel) = (model, TokenizerFit.WithSpecialTokens(tokenizer, model.Config), ownsModel);
        Sessions = new SessionPool(model);
    }

    /// <summary>The model.</summary>
    public PretrainedModel Model { get; }

    /// <summary>The tokenizer, with the special tokens that the model wants around a text.</summary>
    public Tokenizer Tokenizer { get; }

    private protected SessionPool Sessions { get; }
    private string DebuggerText => $"{GetType().Name} with {Model.Architecture}: {Model.Config.Sizes}{(Model.IsDisposed ? ", disposed" : "")}";

    /// <summary>The token that begins a text: the tokenizer's beginning-of-text token, else its end token, else what config.json says; null: there is
    /// none.</summary>
    private protected int? BeginningOfText => Tokenizer.SpecialTokens.BosTokenId ?? Tokenizer.SpecialTokens.EosTokenId ?? Model.Config.BosTokenId;

    /// <summary>Gives the sessions back, and the model where the pipeline loaded it itself. Calls that are running finish.</summary>
    public void Dispose()
    {
        Sessions.Dispose();
        if (_ownsModel)
            Model.Dispose();
        GC.SuppressFinalize(this);
    }
}
