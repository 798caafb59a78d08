using System.Text;

namespace ManagedTransformers.Server;

/// <summary>One text of a request while it comes, and its JSON.</summary>
/// <param name="asked">The request.</param>
/// <param name="prompt">The prompt that it goes on with.</param>
/// <param name="lease">The model.</param>
/// <param name="index">Which of the request's texts it is.</param>
internal sealed class LlamaAnswer(LlamaRequest asked, LlamaPrompt prompt, ServedModel lease, int index)
{
    private readonly StringBuilder _text = new();
    private readonly List<int> _tokens = [];
    private readonly List<TokenProbability> _probabilities = [];
    private FinishReason _reason = FinishReason.Length;
    private GenerationUsage _usage = new();

    private Tokenizer Tokenizer => lease.Generation!.Generator.Tokenizer;

    /// <summary>Takes a piece.</summary>
    /// <returns>The piece as it is given: where a line is indented too little, the text ends before its first character.</returns>
    public TextPiece Take(TextPiece piece)
    {
        int given = _text.Length;
        _text.Append(piece.Text);
        if (asked.Indent > 0 && IndentCriterion.End(_text.ToString(), asked.Indent) is >= 0 and int end)
        {
            _text.Length = Math.Max(end, given);
            piece = piece with { Text = _text.ToString(given, _text.Length - given) };
        }
        _tokens.AddRange(piece.TokenIds);
        _probabilities.AddRange(piece.LogProbabilities ?? []);
        (_reason, _usage) = (piece.FinishReason ?? _reason, piece.Usage ?? _usage);
        return piece;
    }

    /// <summary>A piece of a stream.</summary>
    public void WritePiece(Utf8JsonWriter writer, TextPiece piece)
    {
        writer.WriteStartObject();
        writer.WriteNumber("index", index);
        writer.WriteString("content", piece.Text);
        WriteIds(writer, piece.TokenIds);
        writer.WriteBoolean("stop", false);
        writer.WriteNumber("id_slot", -1);
        writer.WriteNumber("tokens_predicted", _tokens.Count);
        writer.WriteNumber("tokens_evaluated", prompt.Request.PromptIds.Count);
        if (asked.Probabilities > 0)
            WriteProbabilities(writer, piece.LogProbabilities ?? []);
        writer.WriteEndObject();
    }

    /// <summary>The whole answer, or the last frame of a stream, which has no text; of it what response_fields asks for.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        if (asked.ResponseFields.Count == 0)
        {
            WriteAll(writer);
            return;
        }
        using JsonDocument all = JsonDocument.Parse(ApiRequest.Json(WriteAll));
        writer.WriteStartObject();
        foreach (string path in asked.ResponseFields)
        {
            JsonElement at = all.RootElement;
            if (path.Split('/').All(key => at.ValueKind == JsonValueKind.Object && at.TryGetProperty(key, out at)))
            {
                writer.WritePropertyName(path);
                at.WriteTo(writer);
            }
        }
        writer.WriteEndObject();
    }

    private void WriteAll(Utf8JsonWriter writer)
    {
        string text = _text.ToString();
        int read = prompt.Request.PromptIds.Count;
        writer.WriteStartObject();
        writer.WriteNumber("index", index);
        writer.WriteString("content", asked.Stream ? "" : text);
        WriteIds(writer, asked.ReturnTokens && !asked.Stream ? _tokens : []);
        writer.WriteNumber("id_slot", -1);
        writer.WriteBoolean("stop", true);
        writer.WriteString("model", lease.Id);
        writer.WriteNumber("tokens_predicted", _tokens.Count);
        writer.WriteNumber("tokens_evaluated", read);
        writer.WritePropertyName("generation_settings");
        LlamaSettings.Write(writer, asked, LlamaPrompt.ContextOf(lease.Generation!));
        writer.WriteString("prompt", Tokenizer.Decode([.. prompt.Request.PromptIds]));
        writer.WriteBoolean("has_new_line", text.Contains('\n', StringComparison.Ordinal));
        writer.WriteBoolean("truncated", prompt.Request.Dropped != (0, 0) || (_reason == FinishReason.Length && prompt.IsCut));
        writer.WriteString("stop_type", _reason switch
        {
            FinishReason.EndToken => "eos",
            FinishReason.StopString => "word",
            _ => "limit",
        });
        writer.WriteString("stopping_word", _reason == FinishReason.StopString ? StoppingWord() : "");
        writer.WriteNumber("tokens_cached", read + Math.Max(0, _tokens.Count - 1));
        WriteTimings(writer);
        if (asked.Probabilities > 0 && !asked.Stream)
            WriteProbabilities(writer, _probabilities);
        writer.WriteEndObject();
    }

    // The one that begins first in what was generated; of several at one place the first of the list.
    private string StoppingWord()
    {
        string all = new GeneratedText(Tokenizer).Of([.. _tokens]).ToString();
        return asked.Stops.Where(stop => all.Contains(stop, StringComparison.Ordinal)).MinBy(stop => all.IndexOf(stop, StringComparison.Ordinal)) ?? "";
    }

    private void WriteTimings(Utf8JsonWriter writer)
    {
        int prompted = _usage.PromptTokens - _usage.CachedTokens, later = Math.Max(0, _tokens.Count - 1);
        writer.WriteStartObject("timings");
        writer.WriteNumber("cache_n", _usage.CachedTokens);
        WriteTimes(writer, "prompt", prompted, prompted, _usage.PrefillTime.TotalMilliseconds);
        // The first token comes of the prompt's pass.
        WriteTimes(writer, "predicted", _tokens.Count, later, _usage.DecodeTime.TotalMilliseconds);
        writer.WriteEndObject();
    }

    private static void WriteTimes(Utf8JsonWriter writer, string name, int count, int timed, double milliseconds)
    {
        writer.WriteNumber($"{name}_n", count);
        writer.WriteNumber($"{name}_ms", milliseconds);
        writer.WriteNumber($"{name}_per_token_ms", timed > 0 ? milliseconds / timed : 0);
        writer.WriteNumber($"{name}_per_second", milliseconds > 0 ? timed * 1000 / milliseconds : 0);
    }

    private static void WriteIds(Utf8JsonWriter writer, IReadOnlyList<int> ids)
    {
        writer.WriteStartArray("tokens");
        foreach (int id in ids)
            writer.WriteNumberValue(id);
        writer.WriteEndArray();
    }

    private void WriteProbabilities(Utf8JsonWriter writer, IEnumerable<TokenProbability> probabilities)
    {
        writer.WriteStartArray("completion_probabilities");
        foreach (TokenProbability one in probabilities)
        {
            WriteProbability(writer, one);
            writer.WriteStartArray("top_logprobs");
            foreach (TokenProbability other in one.Alternatives)
            {
                WriteProbability(writer, other);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private void WriteProbability(Utf8JsonWriter writer, TokenProbability one)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", one.TokenId);
        writer.WriteString("token", one.TokenText);
        writer.WriteStartArray("bytes");
        foreach (byte part in TokenBytes.Of(Tokenizer, one.TokenId))
            writer.WriteNumberValue(part);
        writer.WriteEndArray();
        writer.WriteFinite("logprob", one.LogProbability);
    }
}
