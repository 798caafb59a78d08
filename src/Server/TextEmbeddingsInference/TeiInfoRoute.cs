using System.Reflection;

namespace ManagedTransformers.Server;

/// <summary>GET /info: the first model that embeds, classifies or ranks.</summary>
internal static class TeiInfoRoute
{
    private const ModelTasks Served = ModelTasks.Embedding | ModelTasks.TextClassification | ModelTasks.Rerank;

    /// <summary>That model, or the one of a name.</summary>
    public static Task<ServedModel> AcquireAsync(ApiRequest request, string? model) => request.Models.AcquireAsync(
        model, !string.IsNullOrEmpty(model) ? Served | ModelTasks.TokenClassification
            // Who asks /info stores vectors under the name of the model that /embed has asked.
            : request.Models.All.Any(one => one.Tasks.HasFlag(ModelTasks.Embedding)) ? ModelTasks.Embedding : Served, request.Cancellation);

    public static async Task AnswerAsync(ApiRequest request)
    {
        using ServedModel lease = await AcquireAsync(request, model: null).ConfigureAwait(false);
        await request.WriteAsync(writer => Write(writer, request.Options, lease)).ConfigureAwait(false);
    }

    private static void Write(Utf8JsonWriter writer, ServerOptions options, ServedModel lease)
    {
        EncoderPipeline pipeline = lease.Encoder!.Pipelines[0];
        EncoderEngineOptions engine = lease.Encoder.Options;
        writer.WriteStartObject();
        writer.WriteString("model_id", lease.Id);
        writer.WriteNull("model_sha");
        writer.WriteString("model_dtype", DtypeOf(pipeline.Model.Config));
        writer.WriteString("served_model_name", lease.Id);
        writer.WriteStartObject("model_type");
        WriteType(writer, lease.Encoder);
        writer.WriteEndObject();
        writer.WriteNumber("max_concurrent_requests", engine.MaxQueue);
        writer.WriteNumber("max_input_length", pipeline.MaxTokens);
        writer.WriteNumber("max_batch_tokens", engine.MaxBatchTokens);
        writer.WriteNumber("max_batch_requests", engine.MaxBatchTexts);
        writer.WriteNumber("max_client_batch_size", options.MaxInputs);
        writer.WriteBoolean("auto_truncate", true);
        writer.WriteNumber("tokenization_workers", pipeline.Model.LoadOptions.Kernels.MaxThreads);
        writer.WriteString("version", typeof(TeiInfoRoute).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion);
        writer.WriteNull("sha");
        writer.WriteNull("docker_label");
        writer.WriteEndObject();
    }

    // What the checkpoint stores; sums are float32.
    private static string DtypeOf(PretrainedConfig config) =>
        config.OtherKeys.TryGetValue("torch_dtype", out JsonElement type) || config.OtherKeys.TryGetValue("dtype", out type)
            ? type.GetString() ?? "float32" : "float32";

    private static void WriteType(Utf8JsonWriter writer, IEncoderEngine engine)
    {
        if (engine.Find<SentenceEmbeddingPipeline>() is { } embedding)
        {
            writer.WriteStartObject("embedding");
            writer.WriteString("pooling", string.Join("+", embedding.Pooling.Select(mode => PoolingNames.All.First(one => one.Mode == mode).Word)));
            writer.WriteEndObject();
            return;
        }
        IReadOnlyDictionary<string, string> labels = engine.Pipelines[0].Model.Config.Id2Label;
        writer.WriteStartObject(engine.Find<RerankPipeline>() is null ? "classifier" : "reranker");
        writer.WriteStartObject("id2label");
        foreach ((string id, string label) in labels)
            writer.WriteString(id, label);
        writer.WriteEndObject();
        writer.WriteStartObject("label2id");
        foreach ((string id, string label) in labels)
            writer.WriteNumber(label, int.Parse(id, CultureInfo.InvariantCulture));
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
