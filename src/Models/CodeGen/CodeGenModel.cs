namespace ManagedTransformers.Models;

/// <summary>CodeGen and CodeGen2 without a head: hidden states, keys and values.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, and 2023, arXiv:2305.02309; transformers CodeGenModel.</remarks>
public sealed class CodeGenModel : PretrainedModel
{
    private readonly CodeGenDecoder _transformer;

    internal CodeGenModel(CodeGenConfig config, ModelSource source) : base(config, source)
    {
        Config = config;
        _transformer = new CodeGenDecoder(config, source.Weights);
    }

    /// <summary>The configuration.</summary>
    public new CodeGenConfig Config { get; }

    internal override bool ReadsFirstToken => false;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="PretrainedModels.Load{T}(string, LoadOptions?)"/>
    public static CodeGenModel Load(string directory, LoadOptions? options = null) => PretrainedModels.Load<CodeGenModel>(directory, options);

    /// <inheritdoc/>
    public override BaseModelOutput Forward(ModelInputs inputs, Session session, ForwardOptions? options = null)
    {
        using Session.Pass pass = BeginPass(inputs, session, options);
        Tensor x = _transformer.Forward(inputs, session);                       // [tokens, n_embd]
        return EndPass(new BaseModelOutput(session.Batch.Unpack(x, "last_hidden_state"), poolerOutput: null), session);
    }

    private protected override IEnumerable<string> ListActivations() => _transformer.ActivationNames;

    private protected override KeyValueCache CreateCache(SessionOptions options) => CodeGenCache.Create(Config, options);
}
