using ManagedTransformers.Extensions.VectorData;
using Microsoft.Extensions.VectorData;
using Microsoft.SemanticKernel;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>The registrations on a kernel's builder.</summary>
public sealed class KernelTests
{
    [Test]
    public async Task A_kernel_has_what_was_added_by_service_id_or_without_one()
    {
        IKernelBuilder builder = Kernel.CreateBuilder()
            .AddManagedTransformersEmbeddingGenerator(Demo.Embed, new HostedModelOptions { WarmUp = WarmUp.None }, "code")
            .AddManagedTransformersPipeline<FillMaskPipeline>(Demo.FillMask)
            .AddInMemoryVectorStore(serviceId: "code");
        Kernel kernel = builder.Build();
        var generator = kernel.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>("code");
        Assert.That((await generator.GenerateAsync(["x"]))[0].Vector.Length, Is.EqualTo(256));
        Assert.That(kernel.GetRequiredService<FillMaskPipeline>().MaskToken, Is.EqualTo("<mask>"));
        Assert.That(kernel.GetRequiredService<VectorStore>("code"), Is.TypeOf<InMemoryVectorStore>());
        await ((ServiceProvider)kernel.Services).DisposeAsync();
    }
}
