// A worker that embeds a folder of C# into a vector store and searches it:
//   dotnet run -c Release --project samples/Apps/FolderSearch -- --Folder src/Tokenizers --Query "Lower case"
using ManagedTransformers.Extensions.AI;
using ManagedTransformers.Samples.FolderSearch;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

HostApplicationBuilder builder = Host.CreateApplicationBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Services.AddManagedTransformersEmbeddingGenerator("models/demo-embed", new HostedModelOptions { WarmUp = WarmUp.BeforeStart });
builder.Services.AddInMemoryVectorStore();
builder.Services.AddHostedService<FolderWorker>();
builder.Build().Run();
