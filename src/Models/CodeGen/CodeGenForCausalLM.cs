namespace ManagedTransformers.Models;

/// <summary>CodeGen and CodeGen2 that write code: scores of the next token after every token.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, and 2023, arXiv:2305.02309; transformers CodeGenForCausalLM.</remarks>
internal sealed class CodeGenForCausalLM : DecoderForCausalLM
{
    internal CodeGenForCausalLM(CodeGenConfig config, ModelSource source) : this(config, source, new CodeGenModel(config, source))
    {
    }

    private CodeGenForCausalLM(CodeGenConfig config, ModelSource source, CodeGenModel transformer)
        : base(config, source, transformer,
        Linear.OverVocabulary(config, source.Weights, "lm_head", transformer.Words, config.TieWordEmbeddings)) => Config = config;

    /// <summary>The configuration.</summary>
    public new CodeGenConfig Config { get; }
}
