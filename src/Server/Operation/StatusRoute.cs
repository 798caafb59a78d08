namespace ManagedTransformers.Server;

/// <summary>GET /status: the models, and what the queue and the caches of each do now. Nothing is loaded for it, and no text is in it.</summary>
internal static class StatusRoute
{
    private static readonly ModelTasks[] s_tasks = [.. Enum.GetValues<ModelTasks>().Where(task => task != ModelTasks.None)];

    public static Task AnswerAsync(ApiRequest request)
    {
        IReadOnlyList<ModelStatus> models = request.Models.All;
        return request.WriteAsync(writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("bytes", models.Sum(model => model.Bytes));
            // Of a fleet, the sum of all silos: the limit of one of them is not that of the fleet, and each says what it has free.
            WriteNumber(writer, "memory_bytes", request.Models.Silos is null ? request.Options.MemoryBytes : null);
            writer.WriteStartArray("models");
            foreach (ModelStatus model in models)
                Write(writer, model, request.Models.LookAt(model.Id));
            writer.WriteEndArray();
            if (request.Models.Silos is { } silos)
                Write(writer, silos);
            writer.WriteEndObject();
        });
    }

    private static void Write(Utf8JsonWriter writer, ModelStatus model, IReadOnlyList<EngineLook> engines)
    {
        writer.WriteStartObject();
        writer.WriteString("id", model.Id);
        writer.WriteString("stage", Name(model.Stage.ToString()));
        writer.WriteStartArray("tasks");
        foreach (ModelTasks task in s_tasks.Where(task => model.Tasks.HasFlag(task)))
            writer.WriteStringValue(Name(task.ToString()));
        writer.WriteEndArray();
        writer.WriteNumber("bytes", model.Bytes);
        writer.WriteNumber("users", model.Users);
        writer.WriteString("problem", model.Problem);
        if (engines is [{ Silo: null } own])
            Write(writer, own);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, EngineLook engine)
    {
        if (engine.Generation is { } generation)
            Write(writer, engine, generation);
        if (engine.Encoder is { } encoder)
            Write(writer, engine, encoder);
    }

    private static void Write(Utf8JsonWriter writer, EngineLook engine, GenerationEngineState state)
    {
        writer.WriteStartObject("generation");
        writer.WriteNumber("running", state.Running.Count);
        writer.WriteNumber("max_rows", engine.MaxRows);
        writer.WriteNumber("waiting", state.Waiting);
        writer.WriteNumber("max_queue", engine.MaxQueue);
        writer.WriteNumber("cache_bytes", state.CacheBytes);
        writer.WriteNumber("cache_limit", state.CacheLimit);
        writer.WriteNumber("cached_prompts", state.CachedPrompts);
        writer.WriteStartArray("rows");
        foreach (RunningText row in state.Running)
        {
            writer.WriteStartObject();
            writer.WriteNumber("row", row.Row);
            writer.WriteNumber("request", row.Request);
            writer.WriteNumber("prompt_tokens", row.PromptTokens);
            writer.WriteNumber("prompt_tokens_read", row.PromptTokensRead);
            writer.WriteNumber("cached_tokens", row.CachedTokens);
            writer.WriteNumber("new_tokens", row.NewTokens);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteStartObject("totals");
        writer.WriteNumber("requests", state.Totals.Requests);
        writer.WriteNumber("prompt_tokens", state.Totals.PromptTokens);
        writer.WriteNumber("cached_tokens", state.Totals.CachedTokens);
        writer.WriteNumber("new_tokens", state.Totals.NewTokens);
        writer.WriteNumber("passes", state.Totals.Passes);
        writer.WriteNumber("rows_of_passes", state.Totals.RowsOfPasses);
        writer.WriteNumber("prefill_seconds", state.Totals.PrefillTime.TotalSeconds);
        writer.WriteNumber("decode_seconds", state.Totals.DecodeTime.TotalSeconds);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, EngineLook engine, EncoderEngineState state)
    {
        writer.WriteStartObject("encoder");
        writer.WriteNumber("running", state.Running);
        writer.WriteNumber("waiting", state.Waiting);
        writer.WriteNumber("max_queue", engine.MaxQueue);
        writer.WriteStartObject("totals");
        writer.WriteNumber("requests", state.Totals.Requests);
        writer.WriteNumber("texts", state.Totals.Texts);
        writer.WriteNumber("batches", state.Totals.Batches);
        writer.WriteNumber("seconds", state.Totals.Time.TotalSeconds);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    // Which machine has what, as far as they have reported.
    private static void Write(Utf8JsonWriter writer, IReadOnlyList<FleetSilo> silos)
    {
        writer.WriteStartArray("silos");
        foreach (FleetSilo silo in silos)
        {
            writer.WriteStartObject();
            writer.WriteString("name", silo.Name);
            writer.WriteString("address", silo.Address);
            writer.WriteString("kernels", silo.KernelLevel);
            writer.WriteNumber("free_bytes", silo.FreeBytes);
            writer.WriteStartArray("models");
            foreach (FleetSiloModel model in silo.Models)
                Write(writer, model);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, FleetSiloModel model)
    {
        writer.WriteStartObject();
        writer.WriteString("id", model.Id);
        writer.WriteBoolean("loaded", model.IsLoaded);
        writer.WriteString("fingerprint", model.Fingerprint);
        writer.WriteNumber("bytes", model.NeededBytes);
        writer.WriteNumber("running", model.Running);
        writer.WriteNumber("waiting", model.Waiting);
        writer.WriteNumber("max_rows", model.MaxRows);
        writer.WriteNumber("cached_blocks", model.CachedBlocks);
        writer.WriteString("problem", model.Problem);
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is long number)
            writer.WriteNumber(name, number);
        else
            writer.WriteNull(name);
    }

    // FillMask is fill-mask.
    private static string Name(string member) => JsonNamingPolicy.KebabCaseLower.ConvertName(member);
}
