using System.Text;

namespace ManagedTransformers;

/// <summary>Turns a row that grows into pieces of text: whole characters, without the end token, cut as the options ask for it.</summary>
internal sealed class PieceWriter
{
    private readonly DecodeStream _decoder;
    private readonly GenerationPlan _plan;
    private readonly SearchRow _row;
    private readonly IReadOnlyList<string> _stopStrings;
    private readonly TruncationRecipe? _recipe;
    private readonly string _prompt = "";
    private readonly StringBuilder _text = new();      // all that was decoded
    private int _decoded, _givenTokens, _given;

    public PieceWriter(GenerationPlan plan, SearchRow row)
    {
        (_decoder, _plan, _row) = (plan.NewDecoder(row.Prompt)!, plan, row);
        (_stopStrings, _recipe) = (plan.Options.StopStrings ?? [], plan.EndingRecipe);
        if (_recipe is not null)
            _prompt = CompletedText.PromptFor(_recipe, row.Prompt.Tokens, plan.Tokenizer!);
    }

    /// <summary>What there is to give of the tokens that the row has now; null: nothing yet.</summary>
    public TextPiece? Next()
    {
        Decode();
        // Only the whole text says where patterns cut it.
        if (_row.FinishReason is not null || _plan.Options.TruncateBeforePattern is { Count: > 0 })
            return null;
        int ready = _text.Length - OpenEnd();
        if (_recipe is not null)
            ready = Math.Min(ready, _recipe.Find(_prompt, _text.ToString(), complete: false).Length);
        return ready > _given ? Take(_text.ToString(_given, ready - _given)) : null;
    }

    /// <summary>The last piece: what was held back, why the text ended, and what it took.</summary>
    public TextPiece Last(GenerationUsage usage)
    {
        Decode();
        string whole = CompletedText.Cut(_text.Append(_decoder.Flush()).ToString(), _row.Prompt, _plan);
        return Take(whole[_given..]) with { FinishReason = _row.FinishReason, Usage = usage };
    }

    private void Decode()
    {
        ReadOnlySpan<int> tokens = _row.Generated;
        for (; _decoded < tokens.Length; _decoded++)
        {
            if (_decoded < tokens.Length - 1 || !_plan.EosTokenId.Contains(tokens[_decoded]))
                _text.Append(_decoder.Append(tokens[_decoded]));
        }
    }

    /// <summary>How many of the last characters may be the beginning of a stop string.</summary>
    private int OpenEnd()
    {
        int open = 0;
        foreach (string stop in _stopStrings)
        {
            for (int length = Math.Min(stop.Length - 1, _text.Length - _given); length > open; length--)
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
            if (_text[_text.Length - text.Length + i] != text[i])
                return false;
        }
        return true;
    }

    private TextPiece Take(string text)
    {
        int[] tokens = _row.Generated[_givenTokens.._decoded].ToArray();
        IReadOnlyList<TokenProbability>? probabilities = _row.LogProbabilities is { } all ? [.. all.Skip(_givenTokens).Take(tokens.Length)] : null;
        (_givenTokens, _given) = (_decoded, _given + text.Length);
        return new TextPiece(text, tokens) { LogProbabilities = probabilities };
    }
}
