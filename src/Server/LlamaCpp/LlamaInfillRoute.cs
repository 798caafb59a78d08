namespace ManagedTransformers.Server;

/// <summary>POST /infill: what stands between two texts, which llama.vim and llama.vscode ask for.</summary>
internal static class LlamaInfillRoute
{
    // A file without a name, as llama.cpp calls it.
    private const string Unnamed = "tmp";

    public static async Task AnswerAsync(ApiRequest request)
    {
        RequestFields fields = await request.ReadAsync().ConfigureAwait(false);
        // Whether there is a model for it is said before what is wrong with the request.
        using ServedModel lease = await AcquireAsync(request, fields.Text("model")).ConfigureAwait(false);
        LlamaRequest asked = LlamaRequest.Read(fields, request.Options);
        InfillRequest gap = GapOf(fields);
        fields.RefuseOthers();
        await LlamaCompletionRoute.RunAsync(request, asked, lease, [LlamaPrompt.Of(asked, lease.Generation!, gap)]).ConfigureAwait(false);
    }

    private static async Task<ServedModel> AcquireAsync(ApiRequest request, string? model)
    {
        try
        {
            return await request.Models.AcquireAsync(model, ModelTasks.Infill, request.Cancellation).ConfigureAwait(false);
        }
        catch (ApiException e) when (e.Problem == Problem.NotSupported)
        {
            throw new ApiException(Problem.NotSupported,
                "Infill is not supported by this model: prefix token is missing. suffix token is missing. middle token is missing. ", e);
        }
    }

    // All of it is text to the tokenizer: a token of infilling in a file is no token.
    private static InfillRequest GapOf(RequestFields fields)
    {
        string prefix = fields.Text("input_prefix") ?? throw ApiException.Of("input_prefix", "\"input_prefix\" is required");
        string suffix = fields.Text("input_suffix") ?? throw ApiException.Of("input_suffix", "\"input_suffix\" is required");
        return new InfillRequest(prefix + fields.Text("prompt"), suffix) { Files = FilesOf(fields) };
    }

    private static List<(string Path, string Text)> FilesOf(RequestFields fields)
    {
        const string Name = "input_extra";
        if (fields.Find(Name) is not JsonElement list)
            return [];
        if (list.ValueKind != JsonValueKind.Array)
            throw ApiException.Of(Name, "\"input_extra\" must be an array of {\"filename\": string, \"text\": string}");
        var files = new List<(string Path, string Text)>();
        foreach (JsonElement chunk in list.EnumerateArray())
        {
            RequestFields file = fields.Element(chunk, Name);
            string text = file.Text("text") ?? throw ApiException.Of(Name, "extra_context chunk must contain a \"text\" field with a string value");
            string? path = file.Text("filename");
            file.RefuseOthers();
            files.Add((string.IsNullOrEmpty(path) ? Unnamed : path, text));
        }
        return files;
    }
}
