using ManagedTransformers;
using ManagedTransformers.Extensions.AI;
using ManagedTransformers.Extensions.VectorData;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.SemanticKernel;

/// <summary>Models and the in-memory vector store as services of a kernel.</summary>
public static class ManagedTransformersKernelBuilderExtensions
{
    /// <summary>Adds an embedding generator that merges the calls of many callers.</summary>
    /// <param name="builder">The kernel's builder.</param>
    /// <param name="path">A checkpoint's directory.</param>
    /// <param name="options">How the model is held; null: the defaults.</param>
    /// <param name="serviceId">Its key and name; null: it is found without one.</param>
    /// <returns>The builder.</returns>
    public static IKernelBuilder AddManagedTransformersEmbeddingGenerator(
        this IKernelBuilder builder, string path, HostedModelOptions? options = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddManagedTransformersEmbeddingGenerator(path, options, serviceId);
        return builder;
    }

    /// <summary>Adds a pipeline, such as <see cref="FillMaskPipeline"/> or <see cref="TextGenerator"/>.</summary>
    /// <inheritdoc cref="AddManagedTransformersEmbeddingGenerator"/>
    public static IKernelBuilder AddManagedTransformersPipeline<TPipeline>(
        this IKernelBuilder builder, string path, HostedModelOptions? options = null, string? serviceId = null)
        where TPipeline : Pipeline
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddManagedTransformersPipeline<TPipeline>(path, options, serviceId);
        return builder;
    }

    /// <summary>Adds an <see cref="InMemoryVectorStore"/>, which embeds with the kernel's generator.</summary>
    /// <param name="builder">The kernel's builder.</param>
    /// <param name="options">Its options; null: the defaults.</param>
    /// <param name="serviceId">Its key; null: it is found without one.</param>
    /// <returns>The builder.</returns>
    public static IKernelBuilder AddInMemoryVectorStore(this IKernelBuilder builder, InMemoryVectorStoreOptions? options = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddInMemoryVectorStore(options, serviceId);
        return builder;
    }
}
