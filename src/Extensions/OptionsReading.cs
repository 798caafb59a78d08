using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace ManagedTransformers.Extensions.AI;

/// <summary>Options from a configuration, for apps that load pipelines themselves.</summary>
/// <remarks>Written out, so that it also runs trimmed and ahead-of-time compiled: there the code that Microsoft.Extensions.Configuration.Binder generates for
/// <c>Get&lt;PipelineOptions&gt;()</c> skips init members, and all options keep their defaults.</remarks>
public static class OptionsReading
{
    /// <summary>How a pipeline is loaded: <c>Load:Kernels:MaxThreads</c>, <c>Tokenizer:ModelType</c>, <c>ModelId</c> and so on.</summary>
    /// <param name="section">A section; what it does not say, and a section that is not there, gives the defaults.</param>
    /// <exception cref="OptionsValidationException">A key is unknown, or a value is none; the message has all of them, with their paths.</exception>
    public static PipelineOptions GetPipelineOptions(this IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return ModelConfiguration.ReadPipeline(section);
    }

    /// <summary>How texts are embedded: <c>Pooling</c> (one or a list), <c>Prompt</c>, <c>TruncateDim</c> and so on.</summary>
    /// <inheritdoc cref="GetPipelineOptions"/>
    public static EmbeddingOptions GetEmbeddingOptions(this IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return ModelConfiguration.ReadEmbedding(section);
    }
}
