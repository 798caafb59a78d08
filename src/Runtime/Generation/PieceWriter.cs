using System.Text;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>Turns generated tokens into pieces of text: whole characters, without the end token, cut where patterns ask for it.</summary>
internal sealed class PieceWriter(Tokenizer tokenizer, IReadOnlyList<int> endTokens, IReadOnlyList<string>? truncateBeforePattern)
{
    private readonly DecodeStream _decoder = tokenizer.CreateDecodeStream();
    private readonly List<int> _ids = [];
    private readonly StringBuilder? _held = truncateBeforePattern is { Count: > 0 } ? new StringBuilder() : null;

    /// <summary>Takes the next token; a piece where there is text to give.</summary>
    public TextPiece? Append(int id)
    {
        _ids.Add(id);
        if (endTokens.Contains(id))
            return null;
        string text = _decoder.Append(id);
        _held?.Append(text);
        return text.Length > 0 && _held is null ? Take(text) : null;
    }

    /// <summary>The last piece: what was held back, and the end token; null where nothing is left.</summary>
    public TextPiece? Flush()
    {
        string text = _decoder.Flush();
        if (_held is not null)
            text = CodeGenTokenizer.Truncate(_held.Append(text).ToString(), truncateBeforePattern!);
        return text.Length > 0 || _ids.Count > 0 ? Take(text) : null;
    }

    private TextPiece Take(string text)
    {
        var piece = new TextPiece(text, [.. _ids]);
        _ids.Clear();
        return piece;
    }
}
