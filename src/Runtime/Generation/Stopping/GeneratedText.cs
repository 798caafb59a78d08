using System.Buffers;
using System.Runtime.InteropServices;

namespace ManagedTransformers;

/// <summary>The text of one row while it grows: each token is decoded once. Not thread-safe.</summary>
/// <param name="tokenizer">What decodes; special tokens give their text, as <see cref="Tokenizer.Decode"/> has it by default.</param>
internal sealed class GeneratedText(Tokenizer tokenizer)
{
    private readonly DecodeStream _decoder = tokenizer.CreateDecodeStream();
    private readonly ArrayBufferWriter<char> _text = new();
    private readonly List<int> _decoded = [];

    /// <summary>The text of tokens, without a last character that is still incomplete. Good until the next call.</summary>
    /// <param name="tokens">All generated tokens of the row. Where they do not go on from those of the last call (a beam took another's place), all
    /// are decoded.</param>
    public ReadOnlySpan<char> Of(ReadOnlySpan<int> tokens)
    {
        if (!tokens.StartsWith(CollectionsMarshal.AsSpan(_decoded)))
        {
            _decoder.Flush();
            _text.ResetWrittenCount();
            _decoded.Clear();
        }
        foreach (int token in tokens[_decoded.Count..])
        {
            _text.Write(_decoder.Append(token));
            _decoded.Add(token);
        }
        return _text.WrittenSpan;
    }
}
