using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server.Tests;

/// <summary>One server with a model of each task, which all tests share: the demo models, a reranker, and a sentence model with prompts.</summary>
[SetUpFixture]
public sealed class DemoServer
{
    public const int MaxInputs = 16;
    private static WebApplication s_app = null!;

    public static HttpClient Client { get; private set; } = null!;

    /// <summary>A cross-encoder with random weights, whose scores differ.</summary>
    public static string Reranker { get; } = InWorkDirectory("demo-rerank");

    /// <summary>A sentence model with the prompts <c>query: </c>, which is the default, and <c>passage: </c>.</summary>
    public static string Prompts { get; } = InWorkDirectory("demo-prompts");

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        MakeReranker();
        MakePrompts();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddManagedTransformersServer(new ServerOptions
        {
            Models = [.. new[] { "demo-embed", "demo-codegen", "demo-fill-mask", "demo-language-id", "demo-tag" }.Select(ModelPath), Reranker, Prompts],
            MaxInputs = MaxInputs,
        });
        s_app = builder.Build();
        s_app.Urls.Add("http://127.0.0.1:0");
        s_app.MapManagedTransformers();
        await s_app.StartAsync();
        Client = new HttpClient { BaseAddress = new Uri(s_app.Urls.First()) };
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        Client.Dispose();
        await s_app.DisposeAsync();
    }

    public static string ModelPath(string name) => Path.Combine(RepositoryRoot.Path, "models", name);

    /// <summary>Posts a body, and reads what is answered.</summary>
    public static async Task<(HttpStatusCode Status, JsonElement Body, HttpResponseMessage Answer)> SendAsync(string route, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        HttpResponseMessage answer = await Client.PostAsync(new Uri(route, UriKind.Relative), content);
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync()), answer);
    }

    /// <summary>The answer to a body that is right.</summary>
    public static async Task<JsonElement> PostAsync(string route, string body)
    {
        (HttpStatusCode status, JsonElement json, _) = await SendAsync(route, body);
        Assert.That(status, Is.EqualTo(HttpStatusCode.OK), json.GetRawText());
        return json;
    }

    /// <summary>The numbers of a list.</summary>
    public static float[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(one => one.GetSingle())];

    private static void MakeReranker()
    {
        using var tags = FillMaskPipeline.Load(ModelPath("demo-fill-mask"));
        PretrainedConfig config = tags.Model.Config with { Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" }, InitializerRange = 0.2 };
        using var model = (PretrainedModel)PretrainedModels.FromConfig<ISequenceClassifier>(config, seed: 3);
        model.Save(Reranker);
        CopyTokenizer(Reranker);
    }

    private static void MakePrompts()
    {
        Directory.CreateDirectory(Prompts);
        string given = Path.Combine(RepositoryRoot.Path, "tests", "data", "cases", "st-prompt");
        foreach (string file in Directory.GetFiles(given, "*.json", SearchOption.AllDirectories))
        {
            string to = Path.Combine(Prompts, Path.GetRelativePath(given, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to, overwrite: true);
        }
        foreach (string file in new[] { "config.json", "model.safetensors" })
            File.Copy(Path.Combine(ModelPath("demo-fill-mask"), file), Path.Combine(Prompts, file), overwrite: true);
        CopyTokenizer(Prompts);
    }

    /// <summary>A copy of the model that generates, without tokens of infilling.</summary>
    /// <param name="name">What it is called; a name of each fixture, which run side by side.</param>
    public static string WithoutMasks(string name)
    {
        string copy = InWorkDirectory(name);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(ModelPath("demo-codegen")))
        {
            string to = Path.Combine(copy, Path.GetFileName(file));
            if (file.EndsWith(".json", StringComparison.Ordinal))
                File.WriteAllText(to, File.ReadAllText(file).Replace("<mask_", "<musk_", StringComparison.Ordinal));
            else
                File.Copy(file, to, overwrite: true);
        }
        return copy;
    }

    private static void CopyTokenizer(string directory)
    {
        foreach (string file in new[] { "tokenizer.json", "tokenizer_config.json" })
            File.Copy(Path.Combine(ModelPath("demo-fill-mask"), file), Path.Combine(directory, file), overwrite: true);
    }

    private static string InWorkDirectory(string name) => Path.Combine(TestContext.CurrentContext.WorkDirectory, name);
}
