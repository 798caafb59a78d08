// Three models behind HTTP: embeddings, masks, and a stream of code. Which models, appsettings.json says.
using ManagedTransformers;
using ManagedTransformers.Extensions.AI;
using ManagedTransformers.Models;
using ManagedTransformers.Samples.WebApi;
using Microsoft.Extensions.AI;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddManagedTransformers(builder.Configuration.GetSection("ManagedTransformers"));
builder.Services.AddHealthChecks().AddManagedTransformers();
WebApplication app = builder.Build();

app.MapHealthChecks("/health");

// A text that a model cannot read, and one that is null, is the client's mistake, and the message says what to do about it.
app.Use(async (context, next) =>
{
    try
    {
        await next(context);
    }
    catch (Exception e) when (e is ModelInputException or ArgumentException && !context.Response.HasStarted)
    {
        context.Response.StatusCode = StatusCodes.Status400BadRequest;
        await context.Response.WriteAsJsonAsync(new { error = e.Message });
    }
});

// Requests that come at once go through the model as one batch.
app.MapPost("/embed", async (string[] texts, IEmbeddingGenerator<string, Embedding<float>> generator, CancellationToken cancellationToken) =>
    (await generator.GenerateAsync(texts, cancellationToken: cancellationToken)).Select(embedding => embedding.Vector));

app.MapPost("/fill", (TextRequest request, HostedPipeline<FillMaskPipeline> model, CancellationToken cancellationToken) =>
    model.RunAsync((fillMask, token) => fillMask.Predict(request.Text, new FillMaskOptions { TopK = 3 }, token), cancellationToken));

// When the client goes, the token is cancelled and the model stops writing.
app.MapPost("/complete", (TextRequest request, HostedPipeline<TextGenerator> model, CancellationToken cancellationToken) =>
    TypedResults.ServerSentEvents(model.StreamAsync(request.Text, new GenerationOptions { MaxNewTokens = 24 }, cancellationToken).Select(piece => piece.Text)));

app.Run();

namespace ManagedTransformers.Samples.WebApi
{
    /// <summary>A text to be worked on.</summary>
    internal sealed record TextRequest(string Text);
}
