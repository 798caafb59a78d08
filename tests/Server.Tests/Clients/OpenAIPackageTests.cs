using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;

namespace ManagedTransformers.Server.Tests;

/// <summary>The NuGet package <c>OpenAI</c>. It has clients for embeddings and models; of the older completions only its pipeline.</summary>
public sealed class OpenAIPackageTests : ClientTests
{
    private OpenAIClient Client(string key = Key) => new(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri($"{Address}/v1") });

    [TestCase(null)]
    [TestCase(64)]
    public async Task Vectors_are_the_pipelines(int? dimensions)
    {
        string[] texts = ["Sort a list.", "Read a file."];
        using var pipeline = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        OpenAIEmbeddingCollection all =
            await Client().GetEmbeddingClient("demo-embed").GenerateEmbeddingsAsync(texts, new EmbeddingGenerationOptions { Dimensions = dimensions });
        foreach ((OpenAIEmbedding one, float[] own) in all.Zip(pipeline.Embed(texts)))
        {
            float[] cut = own[..(dimensions ?? own.Length)];
            float norm = MathF.Sqrt(cut.Sum(x => x * x));
            Assert.That(one.ToFloats().ToArray(), Is.EqualTo(cut.Select(x => x / norm)).Within(1e-5));
        }
        Assert.That(all.Usage.InputTokenCount, Is.EqualTo(all.Usage.TotalTokenCount).And.GreaterThan(4));
    }

    [Test]
    public async Task Models_are_listed()
    {
        OpenAIModelClient client = Client().GetOpenAIModelClient();
        OpenAIModelCollection models = await client.GetModelsAsync();
        Assert.That(models.Select(model => model.Id), Does.Contain("demo-codegen").And.Contain("demo-tag"));
        OpenAIModel one = await client.GetModelAsync("demo-codegen");
        Assert.That((one.Id, one.CreatedAt), Is.EqualTo(("demo-codegen", models.Single(model => model.Id == "demo-codegen").CreatedAt)));
    }

    [Test]
    public async Task Its_pipeline_sends_completions()
    {
        OpenAIClient client = Client();
        using PipelineMessage message = client.Pipeline.CreateMessage(new Uri($"{Address}/v1/completions"), "POST", PipelineMessageClassifier.Default);
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Content = BinaryContent.Create(BinaryData.FromString(
            """{"model": "demo-codegen", "prompt": "def add(a, b):\n", "max_tokens": 12, "temperature": 0}"""));
        await client.Pipeline.SendAsync(message);
        JsonElement answer = JsonElement.Parse(message.Response!.Content.ToString());
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(Best(Prompt, 12)));
    }

    [Test]
    public async Task What_is_wrong_is_the_packages_own_error()
    {
        await AssertFailsAsync(() => Client("wrong").GetEmbeddingClient("demo-embed").GenerateEmbeddingAsync("a"), 401, "Invalid API key");
        await AssertFailsAsync(() => Client().GetEmbeddingClient("demo-embd").GenerateEmbeddingAsync("a"), 404, "demo-embed");
        await AssertFailsAsync(() => Client().GetEmbeddingClient("demo-codegen").GenerateEmbeddingAsync("a"), 400, "demo-codegen cannot do that");
        await AssertFailsAsync(() => Client().GetChatClient("demo-codegen").CompleteChatAsync(new UserChatMessage("hello")), 404, "/v1/completions");
    }

    private static async Task AssertFailsAsync(Func<Task> call, int status, string message)
    {
        ClientResultException? error = await Assert.ThrowsAsync<ClientResultException>(call);
        Assert.That(error!.Status, Is.EqualTo(status));
        Assert.That(error.Message, Does.Contain(message));
    }
}
