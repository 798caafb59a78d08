namespace ManagedTransformers.Tokenizers;

// Parts of a text: prompts that are put together from ids, and what a model writes behind them.
public sealed partial class Tokenizer
{
    /// <summary>This tokenizer, for which some added tokens are text where a text has them: whoever wrote it did not mean the token. (transformers'
    /// split_special_tokens does it with special tokens.)</summary>
    internal Tokenizer ReadingAsText(Func<AddedToken, bool> tokens) => new(_parts with { Added = _parts.Added.With(tokens, _parts.Added.Normalizer) });

    /// <summary>This tokenizer for texts that go on in the middle of another: no space is put before them.</summary>
    /// <remarks>encode_infilling of meta-llama/codellama.</remarks>
    internal Tokenizer WithNothingBefore() => new(_parts with
    {
        Added = _parts.Added.With(_ => false, _parts.Added.Normalizer?.WithNothingBefore()),
        PreTokenizer = _parts.PreTokenizer?.WithNothingBefore(),
    });

    /// <summary>Ids as text that goes on after another: a space at its beginning is one, where at the beginning of a text it would be what the tokenizer put
    /// there.</summary>
    internal DecodeStream ContinueDecoding(DecodeOptions? options = null) => new(this, options ?? DecodeOptions.Default, continues: true);
}
