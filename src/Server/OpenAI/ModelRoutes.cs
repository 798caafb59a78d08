namespace ManagedTransformers.Server;

/// <summary>GET /v1/models and /v1/models/{id}.</summary>
internal static class ModelRoutes
{
    public static Task ListAsync(ApiRequest request) => request.WriteAsync(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("object", "list");
        writer.WriteStartArray("data");
        foreach (ModelStatus model in request.Models.All)
            Write(writer, model, request);
        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    public static Task GetAsync(ApiRequest request)
    {
        string id = request.ModelInPath("id");
        ModelStatus model = request.Models.All.FirstOrDefault(one => one.Id == id)
            ?? throw new ApiException(Problem.NotFound, $"There is no model '{id}'; the nearest is '{Nearest(request.Models.All, id)}'.")
            {
                Field = "model", Code = "model_not_found",
            };
        return request.WriteAsync(writer => Write(writer, model, request));
    }

    private static string Nearest(IReadOnlyList<ModelStatus> models, string id) => models.MinBy(one => NearestNames.Distance(one.Id, id))!.Id;

    private static void Write(Utf8JsonWriter writer, ModelStatus model, ApiRequest request)
    {
        writer.WriteStartObject();
        writer.WriteString("id", model.Id);
        writer.WriteString("object", "model");
        writer.WriteNumber("created", request.Models.Created);
        writer.WriteString("owned_by", "managedtransformers");
        if (request.Models.ConfigOf(model.Id) is PretrainedConfig config)
        {
            writer.WriteNumber("max_model_len", config.MaxTokens);
            writer.WriteStartObject("meta");
            writer.WriteNumber("n_ctx", config.MaxTokens);
            writer.WriteNumber("n_ctx_train", config.MaxTokens);
            writer.WriteNumber("n_vocab", config.VocabSize);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }
}
