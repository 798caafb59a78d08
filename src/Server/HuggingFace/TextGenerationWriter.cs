using System.Text;

namespace ManagedTransformers.Server;

/// <summary>Answers of text-generation-inference: a whole text, or an event for each token.</summary>
internal sealed class TextGenerationWriter(TextGenerationRequest asked, Tokenizer tokenizer)
{
    private static readonly DecodeOptions s_withSpecial = new() { SkipSpecialTokens = false };
    private readonly HashSet<int> _special = [.. tokenizer.AddedTokens.Where(token => token.Special).Select(token => token.Id)];
    private readonly DecodeStream _decoder = tokenizer.CreateDecodeStream(s_withSpecial);
    private readonly StringBuilder _text = new();
    private int _index;

    /// <summary>A list with the text, which with best_of is the likeliest.</summary>
    public void Whole(Utf8JsonWriter writer, GenerationRequest prompt, GenerationResult result)
    {
        writer.WriteStartArray();
        writer.WriteStartObject();
        writer.WriteString("generated_text", FullText(result.Sequences[0].Text));
        if (asked.Details)
        {
            writer.WriteStartObject("details");
            WriteDetails(writer, prompt, result, result.Sequences[0]);
            if (result.Sequences.Count > 1)
            {
                writer.WriteStartArray("best_of_sequences");
                foreach (GeneratedSequence other in result.Sequences.Skip(1))
                {
                    writer.WriteStartObject();
                    writer.WriteString("generated_text", FullText(other.Text));
                    WriteDetails(writer, prompt, result, other);
                    writer.WriteEndObject();
                }
                writer.WriteEndArray();
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    /// <summary>The events of a piece: one for each of its tokens. The last of all has the text and why it ended.</summary>
    public IEnumerable<Action<Utf8JsonWriter>> Events(GenerationRequest prompt, TextPiece piece)
    {
        _text.Append(piece.Text);
        IReadOnlyList<TokenProbability> tokens = piece.LogProbabilities ?? [];
        for (int i = 0; i < tokens.Count; i++)
        {
            TokenProbability token = tokens[i];
            bool isLast = piece.FinishReason is not null && i == tokens.Count - 1;
            string text = _decoder.Append(token.TokenId) + (isLast ? _decoder.Flush() : "");
            int index = ++_index;
            yield return writer => WriteEvent(writer, prompt, index, token, text, isLast ? piece : null);
        }
        // A text can end by time, without another token.
        if (piece.FinishReason is not null && tokens.Count == 0)
            yield return writer => WriteEvent(writer, prompt, _index, null, "", piece);
    }

    private void WriteEvent(Utf8JsonWriter writer, GenerationRequest prompt, int index, TokenProbability? token, string text, TextPiece? end)
    {
        writer.WriteStartObject();
        writer.WriteNumber("index", index);
        writer.WritePropertyName("token");
        if (token is null)
            writer.WriteNullValue();
        else
            WriteToken(writer, token.TokenId, text, token.LogProbability);
        if (asked.TopTokens > 0 && token is not null)
        {
            writer.WritePropertyName("top_tokens");
            WriteTop(writer, token);
        }
        writer.WriteString("generated_text", end is null ? null : FullText(_text.ToString()));
        if (end is null)
        {
            writer.WriteNull("details");
        }
        else
        {
            writer.WriteStartObject("details");
            WriteEnd(writer, end.FinishReason!.Value, end.Usage!.NewTokens);
            writer.WriteNumber("input_length", prompt.PromptIds.Count);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private void WriteDetails(Utf8JsonWriter writer, GenerationRequest prompt, GenerationResult result, GeneratedSequence sequence)
    {
        WriteEnd(writer, sequence.FinishReason, sequence.TokenIds.Count);
        writer.WriteStartArray("prefill");
        for (int i = 0; i < (result.PromptLogProbabilities?.Count ?? 0); i++)
            WritePrompt(writer, prompt.PromptIds[i], result.PromptLogProbabilities![i]);
        writer.WriteEndArray();
        writer.WriteStartArray("tokens");
        DecodeStream decoder = tokenizer.CreateDecodeStream(s_withSpecial);
        IReadOnlyList<TokenProbability> tokens = sequence.LogProbabilities!;
        for (int i = 0; i < tokens.Count; i++)
            WriteToken(writer, tokens[i].TokenId, decoder.Append(tokens[i].TokenId) + (i == tokens.Count - 1 ? decoder.Flush() : ""), tokens[i].LogProbability);
        writer.WriteEndArray();
        if (asked.TopTokens == 0)
            return;
        writer.WriteStartArray("top_tokens");
        foreach (TokenProbability token in tokens)
            WriteTop(writer, token);
        writer.WriteEndArray();
    }

    private void WriteEnd(Utf8JsonWriter writer, FinishReason reason, int tokens)
    {
        writer.WriteString("finish_reason", reason switch
        {
            FinishReason.EndToken => "eos_token",
            FinishReason.StopString or FinishReason.Criterion => "stop_sequence",
            _ => "length",
        });
        writer.WriteNumber("generated_tokens", tokens);
        if (asked.Options.Seed is long seed)
            writer.WriteNumber("seed", seed);
        else
            writer.WriteNull("seed");
    }

    // The first token of a prompt has no probability.
    private void WritePrompt(Utf8JsonWriter writer, int id, TokenProbability? probability)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", id);
        writer.WriteString("text", tokenizer.Decode([id], s_withSpecial));
        if (probability is null)
            writer.WriteNull("logprob");
        else
            writer.WriteFinite("logprob", probability.LogProbability);
        writer.WriteEndObject();
    }

    private void WriteTop(Utf8JsonWriter writer, TokenProbability token)
    {
        writer.WriteStartArray();
        foreach (TokenProbability one in token.Alternatives)
            WriteToken(writer, one.TokenId, one.TokenText, one.LogProbability);
        writer.WriteEndArray();
    }

    private void WriteToken(Utf8JsonWriter writer, int id, string text, double logProbability)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", id);
        writer.WriteString("text", text);
        writer.WriteFinite("logprob", logProbability);
        writer.WriteBoolean("special", _special.Contains(id));
        writer.WriteEndObject();
    }

    private string FullText(string text) => asked.FullText ? asked.Inputs + text : text;
}
