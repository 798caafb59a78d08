// Retrieval in Semantic Kernel: a prompt template asks for the snippet that fits a question, and a code model goes on from there.
//   dotnet run -c Release --project samples/Apps/KernelRetrieval
using ManagedTransformers;
using ManagedTransformers.Extensions.VectorData;
using ManagedTransformers.Samples.KernelRetrieval;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.VectorData;
using Microsoft.SemanticKernel;

IKernelBuilder builder = Kernel.CreateBuilder();
builder.AddManagedTransformersEmbeddingGenerator("models/demo-embed");
builder.AddManagedTransformersPipeline<TextGenerator>("models/demo-codegen");
builder.AddInMemoryVectorStore();
Kernel kernel = builder.Build();

InMemoryVectorCollection<string, Snippet> snippets =
    kernel.GetRequiredService<InMemoryVectorStore>().GetCollection<string, Snippet>("snippets");
await snippets.EnsureCollectionExistsAsync();
await snippets.UpsertAsync(
[
    new Snippet { Name = "total", Code = "def total(numbers):\n    result = 0\n    for number in numbers:\n        result += number\n    return result" },
    new Snippet { Name = "load", Code = "def load(path):\n    with open(path) as file:\n        return file.read()" },
    new Snippet { Name = "ordered", Code = "def ordered(items):\n    return sorted(items, key=lambda item: item.name)" },
]);

kernel.ImportPluginFromFunctions("snippets", [KernelFunctionFactory.CreateFromMethod(FindAsync, "find", "The snippet that fits a question best.")]);
IPromptTemplate template = new KernelPromptTemplateFactory().Create(new PromptTemplateConfig("{{snippets.find $question}}\n\n\ndef read_lines(path):\n"));
string prompt = await template.RenderAsync(kernel, new KernelArguments { ["question"] = "Read the content of a file." });
Console.Write(prompt);
Console.WriteLine(kernel.GetRequiredService<TextGenerator>().Generate(prompt, new GenerationOptions { MaxNewTokens = 24 }));

async Task<string> FindAsync(string question)
{
    await foreach (VectorSearchResult<Snippet> found in snippets.SearchAsync(question, top: 1))
        return found.Record.Code;
    return "";
}

namespace ManagedTransformers.Samples.KernelRetrieval
{
    /// <summary>Code with a name.</summary>
    internal sealed class Snippet
    {
        /// <summary>Its name.</summary>
        [VectorStoreKey]
        public string Name { get; set; } = "";

        /// <summary>Its text, which the store embeds.</summary>
        [VectorStoreVector(256)]
        public string Code { get; set; } = "";
    }
}
