namespace ManagedTransformers.Tokenizers;

/// <summary>A tokenizer as a debugger opens it: its parts in the order in which a text goes through them.</summary>
internal sealed class TokenizerDebugView(Tokenizer tokenizer)
{
    public PreTokenizer? PreTokenizer => tokenizer.Parts.PreTokenizer;

    public TokenModel Model => tokenizer.Parts.Model;

    public PostProcessor? PostProcessor => tokenizer.Parts.PostProcessor;

    public TokenDecoder Decoder => tokenizer.Parts.Decoder;

    public int VocabularySize => tokenizer.VocabularySize;

    public AddedToken[] AddedTokens => [.. tokenizer.AddedTokens];

    public SpecialTokens SpecialTokens => tokenizer.SpecialTokens;

    public int? ModelMaxLength => tokenizer.ModelMaxLength;
}
