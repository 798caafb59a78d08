namespace ManagedTransformers.Server;

/// <summary>A task: how the hub names it, which models do it, what answers it, and the parameters that only it has.</summary>
internal sealed record HuggingFaceTask(
    string Name, ModelTasks Does, Func<ApiRequest, RequestFields, ServedModel, Task> Answer, params IReadOnlyList<string> OwnParameters);

/// <summary>POST /models/{id}, and the same without an id.</summary>
internal static class HuggingFaceTaskRoute
{
    private const string Pipeline = "/pipeline/";

    // In the order in which a model that does several is asked for one.
    private static readonly HuggingFaceTask[] s_tasks =
    [
        new("text-generation", ModelTasks.Generation, TextGenerationTask.AnswerAsync,
            "max_new_tokens", "do_sample", "return_full_text", "details", "decoder_input_details", "stop", "stop_sequences", "seed", "temperature"),
        new("fill-mask", ModelTasks.FillMask, EncoderTasks.FillMaskAsync, "targets"),
        new("token-classification", ModelTasks.TokenClassification, EncoderTasks.TagAsync, "aggregation_strategy", "ignore_labels", "stride"),
        new("text-classification", ModelTasks.TextClassification, EncoderTasks.ClassifyAsync, "function_to_apply"),
        new("feature-extraction", ModelTasks.Embedding, EncoderTasks.EmbedAsync),
        new("sentence-similarity", ModelTasks.Embedding, EncoderTasks.CompareAsync),
    ];

    public static async Task AnswerAsync(ApiRequest request)
    {
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        (string? id, HuggingFaceTask? task) = PathOf(request);
        task ??= AskedFor(fields);
        if (task is null)
        {
            ModelStatus? model = request.Models.All.FirstOrDefault(one => id is null || one.Id == id);
            task = s_tasks.FirstOrDefault(one => model is null || (model.Tasks & one.Does) != ModelTasks.None) ?? s_tasks[0];
        }
        using ServedModel lease = await request.Models.AcquireAsync(id, task.Does, request.Cancellation).ConfigureAwait(false);
        await task.Answer(request, fields, lease).ConfigureAwait(false);
    }

    // org/name, or org/name/pipeline/feature-extraction, as the hub's clients ask a model for one of its tasks.
    private static (string? Id, HuggingFaceTask? Task) PathOf(ApiRequest request)
    {
        if (request.ModelInPath("id") is not { Length: > 0 } path)
            return (null, null);
        int end = path.LastIndexOf(Pipeline, StringComparison.Ordinal);
        if (end < 0 || request.Models.All.Any(model => model.Id == path))
            return (path, null);
        string name = path[(end + Pipeline.Length)..];
        return (path[..end], Array.Find(s_tasks, task => task.Name == name) ?? throw new ApiException(Problem.NotFound,
            $"There is no task '{name}'; there are {string.Join(", ", s_tasks.Select(task => task.Name))}."));
    }

    /// <summary>The task that the body's fields belong to; null: any may be meant.</summary>
    private static HuggingFaceTask? AskedFor(RequestFields fields)
    {
        if (fields.Find("inputs") is { ValueKind: JsonValueKind.Object } pair && pair.TryGetProperty("source_sentence", out _))
            return s_tasks[^1];
        if (fields.Has("normalize") || fields.Has("prompt_name") || fields.Has("truncate") || fields.Has("truncation_direction"))
            return s_tasks[^2];
        if (fields.Has("stream"))
            return s_tasks[0];
        return fields.Nested("parameters") is RequestFields parameters
            ? Array.Find(s_tasks, task => task.OwnParameters.Any(parameters.Has)) : null;
    }
}
