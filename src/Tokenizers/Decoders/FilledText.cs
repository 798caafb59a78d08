using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>A text in which one token is replaced by each of several candidates.</summary>
internal static class FilledText
{
    /// <inheritdoc cref="Tokenizer.DecodeFilled"/>
    public static string[] Decode(Tokenizer tokenizer, ReadOnlySpan<int> ids, int place, ReadOnlySpan<int> candidates, DecodeOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(place);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(place, ids.Length);
        var texts = new string[candidates.Length];
        (string before, bool begun) = Part(tokenizer, ids[..place], continues: false, options);
        string? after = null;
        for (int i = 0; i < texts.Length; i++)
        {
            (string candidate, bool written) = Part(tokenizer, candidates.Slice(i, 1), begun, options);
            // What comes first in a text may be written otherwise: where nothing is written up to here, the rest begins the text.
            if (!tokenizer.Decoder.DecodesParts || !(begun || written))
            {
                texts[i] = tokenizer.Decode([.. ids[..place], candidates[i], .. ids[(place + 1)..]], options);
                continue;
            }
            after ??= Part(tokenizer, ids[(place + 1)..], continues: true, options).Text;
            string text = string.Concat(before, candidate, after);
            texts[i] = options.CleanUpTokenizationSpaces ? CleanUp.Transformers(text) : text;
        }
        return texts;
    }

    private static (string Text, bool Begun) Part(Tokenizer tokenizer, ReadOnlySpan<int> ids, bool continues, DecodeOptions options)
    {
        var text = new StringBuilder();
        DecoderState state = tokenizer.Decoder.Start(options.Errors, continues);
        foreach (int id in ids)
        {
            if (tokenizer.TokenToDecode(id, options) is not string token) continue;
            text.Append(state.Append(token));
            continues = true;
        }
        return (text.Append(state.Flush()).ToString(), continues);
    }
}
