using System.Reflection;
using Microsoft.Extensions.Primitives;

namespace ManagedTransformers.Server;

/// <summary>GET /props and /slots: what the server is and does. Without <c>?model=</c> of the model that generates.</summary>
internal static class LlamaStateRoutes
{
    public static async Task PropsAsync(ApiRequest request)
    {
        string? model = Query(request, "model");
        RefuseOthers(request, "model");
        using ServedModel lease = await LlamaRoutes.AcquireAnyAsync(request, model).ConfigureAwait(false);
        await request.WriteAsync(writer => WriteProps(writer, request, lease)).ConfigureAwait(false);
    }

    public static async Task SlotsAsync(ApiRequest request)
    {
        string? model = Query(request, "model");
        bool fails = Query(request, "fail_on_no_slot") is not (null or "" or "0" or "false");
        RefuseOthers(request, "model", "fail_on_no_slot");
        using ServedModel lease = await request.Models.AcquireAsync(model, ModelTasks.Generation, request.Cancellation).ConfigureAwait(false);
        IReadOnlyList<EngineLook> engines = request.Models.LookAt(lease.Id);
        if (fails && engines.Count > 0 && engines.All(engine => engine.Generation is null || engine.Generation.Running.Count >= engine.MaxRows))
            throw new ApiException(Problem.Unavailable, "no slot available");
        await request.WriteAsync(writer => WriteSlots(writer, LlamaPrompt.ContextOf(lease.Generation!), engines)).ConfigureAwait(false);
    }

    private static string? Query(ApiRequest request, string name) => request.Http.Request.Query[name] is [.., string last] ? last : null;

    private static void RefuseOthers(ApiRequest request, params ReadOnlySpan<string> known)
    {
        foreach ((string name, StringValues _) in request.Http.Request.Query)
        {
            if (!known.Contains(name))
                throw ApiException.Of(name, $"The query has '{(name.Length > 60 ? name[..60] : name)}', which is not known here. Leave it out.");
        }
    }

    private static void WriteProps(Utf8JsonWriter writer, ApiRequest request, ServedModel lease)
    {
        Tokenizer tokenizer = LlamaTokenizeRoute.TokenizerOf(lease);
        int context = request.Models.ConfigOf(lease.Id)?.MaxTokens ?? 0;
        writer.WriteStartObject();
        writer.WriteStartObject("default_generation_settings");
        writer.WritePropertyName("params");
        LlamaSettings.Write(writer, LlamaRequest.Default, context);
        writer.WriteNumber("n_ctx", context);
        writer.WriteEndObject();
        writer.WriteNumber("total_slots", lease.Generation?.Options.MaxRows ?? 0);
        writer.WriteString("model_alias", lease.Id);
        // Where it lies on this machine is nobody's business.
        writer.WriteString("model_path", lease.Id);
        writer.WriteStartObject("modalities");
        writer.WriteBoolean("vision", false);
        writer.WriteBoolean("audio", false);
        writer.WriteEndObject();
        writer.WriteString("chat_template", "");
        writer.WriteString("bos_token", tokenizer.SpecialTokens.BosToken ?? "");
        writer.WriteString("eos_token", tokenizer.SpecialTokens.EosToken ?? "");
        writer.WriteString("build_info", $"ManagedTransformers {typeof(LlamaStateRoutes).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion}");
        writer.WriteBoolean("is_sleeping", false);
        writer.WriteBoolean("endpoint_slots", true);
        writer.WriteBoolean("endpoint_props", false);
        writer.WriteEndObject();
    }

    // Texts are not in it. Of a fleet, the slots of all silos, one silo after the other.
    private static void WriteSlots(Utf8JsonWriter writer, int context, IReadOnlyList<EngineLook> engines)
    {
        writer.WriteStartArray();
        int id = 0;
        foreach (EngineLook engine in engines)
        {
            Dictionary<int, RunningText> rows = (engine.Generation?.Running ?? []).ToDictionary(row => row.Row);
            for (int i = 0; i < engine.MaxRows; i++)
                WriteSlot(writer, id++, context, engine.Silo, rows.GetValueOrDefault(i));
        }
        writer.WriteEndArray();
    }

    private static void WriteSlot(Utf8JsonWriter writer, int id, int context, string? silo, RunningText? row)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", id);
        if (silo is not null)
            writer.WriteString("silo", silo);
        writer.WriteNumber("id_task", row?.Request ?? -1);
        writer.WriteNumber("n_ctx", context);
        writer.WriteBoolean("is_processing", row is not null);
        writer.WriteNumber("n_prompt_tokens", row?.PromptTokens ?? 0);
        writer.WriteNumber("n_prompt_tokens_processed", row is null ? 0 : row.PromptTokensRead - row.CachedTokens);
        writer.WriteNumber("n_prompt_tokens_cache", row?.CachedTokens ?? 0);
        writer.WriteStartArray("next_token");
        writer.WriteStartObject();
        writer.WriteNumber("n_decoded", row?.NewTokens ?? 0);
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
