namespace ManagedTransformers.Server;

/// <summary>generation_settings, and params of /props and /slots: what holds for a request.</summary>
internal static class LlamaSettings
{
    /// <param name="writer">Where it is written.</param>
    /// <param name="asked">The request.</param>
    /// <param name="context">The most tokens that the model reads; llama.vscode looks for it here.</param>
    public static void Write(Utf8JsonWriter writer, LlamaRequest asked, int context)
    {
        LlamaSampling sampling = asked.Sampling;
        writer.WriteStartObject();
        writer.WriteNumber("n_ctx", context);
        writer.WriteNumber("n_predict", asked.Predict);
        writer.WriteNumber("max_tokens", asked.Predict);
        writer.WriteNumber("seed", sampling.Seed ?? uint.MaxValue);
        writer.WriteNumber("temperature", sampling.Temperature);
        writer.WriteNumber("top_k", sampling.TopK);
        writer.WriteNumber("top_p", sampling.TopP);
        writer.WriteNumber("min_p", sampling.MinP);
        writer.WriteNumber("typical_p", sampling.TypicalP);
        writer.WriteNumber("repeat_last_n", sampling.RepeatLastN);
        writer.WriteNumber("repeat_penalty", sampling.RepeatPenalty);
        writer.WriteNumber("presence_penalty", sampling.PresencePenalty);
        writer.WriteNumber("frequency_penalty", sampling.FrequencyPenalty);
        writer.WriteNumber("min_keep", sampling.MinKeep);
        writer.WriteBoolean("ignore_eos", sampling.IgnoreEos);
        writer.WriteNumber("n_indent", asked.Indent);
        writer.WriteNumber("t_max_predict_ms", asked.MaxPredictMs);
        writer.WriteNumber("n_probs", asked.Probabilities);
        writer.WriteBoolean("stream", asked.Stream);
        WriteTexts(writer, "stop", asked.Stops);
        WriteTexts(writer, "samplers", sampling.Samplers);
        writer.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter writer, string name, IReadOnlyList<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (string text in texts)
            writer.WriteStringValue(text);
        writer.WriteEndArray();
    }
}
