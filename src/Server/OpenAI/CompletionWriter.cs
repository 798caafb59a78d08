namespace ManagedTransformers.Server;

/// <summary>Writes OpenAI's text_completion objects.</summary>
internal sealed class CompletionWriter(CompletionRequest asked, string model, Tokenizer tokenizer)
{
    private readonly string _id = ApiRequest.NewId("cmpl-");
    private readonly long _created = ApiRequest.Now;
    private readonly Dictionary<int, LegacyLogProbabilities> _open = [];
    private readonly HashSet<int> _counted = [];
    private IReadOnlyList<TokenProbability?>? _promptProbabilities;
    private int _promptTokens, _cachedTokens, _newTokens;

    /// <summary>The chunk with the usage; null: it was not asked for.</summary>
    public Action<Utf8JsonWriter>? LastChunk => !asked.StreamUsage ? null : writer => Object(writer, _ => { }, WriteUsage);

    /// <summary>The whole answer. A choice's index runs over prompts × n.</summary>
    public void Whole(Utf8JsonWriter writer, List<CompletionPrompt> prompts, GenerationResult[] results)
    {
        foreach (GenerationResult result in results)
        {
            _promptTokens += result.Usage.PromptTokens;
            _cachedTokens += result.Usage.CachedTokens;
            _newTokens += result.Usage.NewTokens;
        }
        Object(writer, _ =>
        {
            for (int i = 0; i < results.Length; i++)
            {
                for (int k = 0; k < asked.N; k++)
                    WholeChoice(writer, (i * asked.N) + k, prompts[i], results[i], results[i].Sequences.Count == 0 ? null : results[i].Sequences[k]);
            }
        }, WriteUsage);
    }

    private void WholeChoice(Utf8JsonWriter writer, int index, CompletionPrompt prompt, GenerationResult result, GeneratedSequence? text)
    {
        LegacyLogProbabilities? all = asked.LogProbabilities is null ? null : NewList(prompt);
        all?.Add(result.PromptLogProbabilities ?? [], prompt);
        all?.Add(text?.LogProbabilities ?? []);
        Choice(writer, index, (asked.Echo ? prompt.Text : "") + text?.Text, all, text?.FinishReason ?? FinishReason.Length);
    }

    /// <summary>The chunks of an update. The end has one of its own: some clients read no text in the chunk that has the reason.</summary>
    public IEnumerable<Action<Utf8JsonWriter>> Chunks(int number, CompletionPrompt prompt, GenerationUpdate update)
    {
        _promptProbabilities = update.PromptLogProbabilities ?? (update.Index == 0 && !_open.ContainsKey(number * asked.N) ? null : _promptProbabilities);
        int texts = prompt.Request.PromptOnly ? asked.N : 1;
        for (int k = 0; k < texts; k++)
        {
            int index = (number * asked.N) + update.Index + k;
            bool isFirst = !_open.TryGetValue(index, out LegacyLogProbabilities? all);
            if (isFirst)
                _open.Add(index, all = NewList(prompt));
            if (isFirst && asked.LogProbabilities is not null)
                all!.Add(_promptProbabilities ?? [], prompt);
            if (asked.LogProbabilities is not null)
                all!.Add(update.Piece.LogProbabilities ?? []);
            string text = (isFirst && asked.Echo ? prompt.Text : "") + update.Piece.Text;
            if (text.Length > 0 || all!.Count > 0)
                yield return writer => Object(writer, _ => Choice(writer, index, text, asked.LogProbabilities is null ? null : all, null), NoUsage);
            if (update.Piece.FinishReason is FinishReason reason || prompt.Request.PromptOnly)
            {
                FinishReason end = update.Piece.FinishReason ?? FinishReason.Length;
                yield return writer => Object(writer, _ => Choice(writer, index, "", null, end), NoUsage);
            }
        }
        if (update.Piece.Usage is GenerationUsage usage)
            Count(number, usage);
    }

    private LegacyLogProbabilities NewList(CompletionPrompt prompt) => 
        new(tokenizer, asked.Echo ? 0 : LegacyLogProbabilities.Length(prompt.Text), asked.SkipSpecialTokens);

    private void Count(int number, GenerationUsage usage)
    {
        if (_counted.Add(number))
            (_promptTokens, _cachedTokens) = (_promptTokens + usage.PromptTokens, _cachedTokens + usage.CachedTokens);
        _newTokens += usage.NewTokens;
    }

    private void Object(Utf8JsonWriter writer, Action<Utf8JsonWriter> choices, Action<Utf8JsonWriter> usage)
    {
        writer.WriteStartObject();
        writer.WriteString("id", _id);
        writer.WriteString("object", !asked.IsFim ? "text_completion" : asked.Stream ? "chat.completion.chunk" : "chat.completion");
        writer.WriteNumber("created", _created);
        writer.WriteString("model", model);
        writer.WriteStartArray("choices");
        choices(writer);
        writer.WriteEndArray();
        usage(writer);
        writer.WriteEndObject();
    }

    private void Choice(Utf8JsonWriter writer, int index, string text, LegacyLogProbabilities? all, FinishReason? reason)
    {
        writer.WriteStartObject();
        if (asked.IsFim)
        {
            writer.WriteNumber("index", index);
            writer.WriteStartObject(asked.Stream ? "delta" : "message");
            writer.WriteString("role", "assistant");
            writer.WriteString("content", text);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteString("text", text);
            writer.WriteNumber("index", index);
            writer.WritePropertyName("logprobs");
            if (all is null)
                writer.WriteNullValue();
            else
                all.Write(writer);
        }
        writer.WriteString("finish_reason", reason switch
        {
            null => null,
            FinishReason.Length or FinishReason.MaxTime => "length",
            _ => "stop",
        });
        writer.WriteEndObject();
    }

    private void NoUsage(Utf8JsonWriter writer)
    {
        if (asked.StreamUsage)
            writer.WriteNull("usage");
    }

    private void WriteUsage(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("usage");
        writer.WriteNumber("prompt_tokens", _promptTokens);
        writer.WriteNumber("completion_tokens", _newTokens);
        writer.WriteNumber("total_tokens", _promptTokens + _newTokens);
        writer.WriteStartObject("prompt_tokens_details");
        writer.WriteNumber("cached_tokens", _cachedTokens);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
