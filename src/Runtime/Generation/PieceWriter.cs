using System.Text;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>Turns a row that grows into pieces of text: whole characters, without the end token and stop strings, cut where patterns ask for it.</summary>
internal sealed class PieceWriter
{
    private readonly DecodeStream _decoder;
    private readonly CompletedText _completed;
    private readonly SearchRow _row;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly IReadOnlyList<string> _stopStrings;
    private readonly bool _holdsAll;
    private readonly StringBuilder _held = new();
    private int _decoded, _given;

    public PieceWriter(Tokenizer tokenizer, GenerationPlan plan, SearchRow row)
    {
        (_decoder, _row, _endTokens) = (tokenizer.CreateDecodeStream(), row, plan.EosTokenId);
        _completed = new CompletedText(tokenizer, plan);
        _stopStrings = plan.Options.StopStrings ?? [];
        _holdsAll = plan.Options.TruncateBeforePattern is { Count: > 0 };           // only the whole text says where it is cut
    }

    /// <summary>What there is to give of the tokens that the row has now; null: nothing yet.</summary>
    public TextPiece? Next()
    {
        Decode();
        if (_holdsAll || _row.FinishReason is not null)
            return null;
        int ready = _held.Length - OpenEnd();
        if (ready == 0)
            return null;
        string text = _held.ToString(0, ready);
        _held.Remove(0, ready);
        return Take(text);
    }

    /// <summary>The last piece: what was held back, why the text ended, and what it took.</summary>
    public TextPiece Last(GenerationUsage usage)
    {
        Decode();
        string text = _completed.Cut(_held.Append(_decoder.Flush()).ToString());
        return Take(text) with { FinishReason = _row.FinishReason, Usage = usage };
    }

    private void Decode()
    {
        ReadOnlySpan<int> tokens = _row.Generated;
        for (; _decoded < tokens.Length; _decoded++)
        {
            if (_decoded < tokens.Length - 1 || !_endTokens.Contains(tokens[_decoded]))
                _held.Append(_decoder.Append(tokens[_decoded]));
        }
    }

    /// <summary>How many of the last characters may be the beginning of a stop string.</summary>
    private int OpenEnd()
    {
        int open = 0;
        foreach (string stop in _stopStrings)
        {
            for (int length = Math.Min(stop.Length - 1, _held.Length); length > open; length--)
            {
                if (EndsWith(stop.AsSpan(0, length)))
                    open = length;
            }
        }
        return open;
    }

    private bool EndsWith(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (_held[_held.Length - text.Length + i] != text[i])
                return false;
        }
        return true;
    }

    private TextPiece Take(string text)
    {
        int[] tokens = _row.Generated[_given.._decoded].ToArray();
        IReadOnlyList<TokenLogProbability>? probabilities = _row.LogProbabilities is { } all ? [.. all.Skip(_given).Take(tokens.Length)] : null;
        _given = _decoded;
        return new TextPiece(text, tokens) { LogProbabilities = probabilities };
    }
}
