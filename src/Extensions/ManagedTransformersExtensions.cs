using ManagedTransformers;
using ManagedTransformers.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Models as services of an app.</summary>
/// <remarks>A path that is not absolute begins at the host's content root (the current directory where there is no host); what is not there is looked for
/// beside the app's own files. A service that is asked for before its model is loaded waits for it: a generator's call asynchronously, a pipeline that is
/// injected, and a generator's metadata, by blocking.</remarks>
public static class ManagedTransformersExtensions
{
    /// <summary>Adds every model of a configuration: <c>Models:NAME:Path</c>, <c>Models:NAME:Task</c>, and what <see cref="HostedModelOptions"/>
    /// has.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="configuration">A section, such as <c>configuration.GetSection("ManagedTransformers")</c>.</param>
    /// <remarks>NAME is the service key, in any case: a configuration's keys are the same in capitals, as in an environment variable that overrides one. The
    /// only model of a task, of all sections that are added, is found without a key as well, unless the app adds another one without a key.</remarks>
    /// <exception cref="OptionsValidationException">A key is unknown or missing, or a value is none; the message names all of them, with their
    /// paths.</exception>
    public static IServiceCollection AddManagedTransformers(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configuration);
        ConfiguredModels configured = ConfiguredModels.Of(services);
        foreach (ConfiguredModel model in ModelConfiguration.Read(configuration))
        {
            Kind kind = Kinds[model.Kind.Type];
            kind.Add(services, model.Path, model.Options, model.Name);
            configured.Add(services, model.Kind.Type, model.Name, kind.Services);
        }
        return services;
    }

    /// <summary>Adds an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> that merges the calls of many callers into batches, and its
    /// <see cref="HostedPipeline{TPipeline}"/>.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="path">A checkpoint's directory.</param>
    /// <param name="options">How the model is held; null: the defaults.</param>
    /// <param name="serviceKey">Its key and name; null: it is found without one.</param>
    /// <returns>For what goes around it: <c>UseDistributedCache()</c>, <c>UseOpenTelemetry()</c>, <c>UseLogging()</c>.</returns>
    /// <exception cref="ArgumentException">There is a model of this kind with this key already.</exception>
    public static EmbeddingGeneratorBuilder<string, Embedding<float>> AddManagedTransformersEmbeddingGenerator(
        this IServiceCollection services, string path, HostedModelOptions? options = null, object? serviceKey = null)
    {
        services.AddHosted<SentenceEmbeddingPipeline>(path, options, serviceKey);
        IEmbeddingGenerator<string, Embedding<float>> Make(IServiceProvider provider) =>
            new MergingEmbeddingGenerator(provider.Hosted<SentenceEmbeddingPipeline>(serviceKey));
        var builder = serviceKey is null ? services.AddEmbeddingGenerator(Make) : services.AddKeyedEmbeddingGenerator(serviceKey, Make);
        // A cache keys by texts and options: with all in them that changes a vector, models and options that share one do not get each other's.
        return builder.Use((inner, provider) => new ConfigureOptionsEmbeddingGenerator<string, Embedding<float>>(
            inner, options => EmbeddingFingerprint.Complete(options, provider.Hosted<SentenceEmbeddingPipeline>(serviceKey), inner)));
    }

    /// <summary>Adds a pipeline, such as <see cref="FillMaskPipeline"/> or <see cref="TextGenerator"/>, and its
    /// <see cref="HostedPipeline{TPipeline}"/>, which loads it without blocking and limits the calls at once.</summary>
    /// <inheritdoc cref="AddManagedTransformersEmbeddingGenerator"/>
    /// <returns>The services.</returns>
    /// <exception cref="NotSupportedException"><typeparamref name="TPipeline"/> is none of the pipelines.</exception>
    public static IServiceCollection AddManagedTransformersPipeline<TPipeline>(
        this IServiceCollection services, string path, HostedModelOptions? options = null, object? serviceKey = null)
        where TPipeline : Pipeline
    {
        PipelineKind.Of<TPipeline>();
        services.AddHosted<TPipeline>(path, options, serviceKey);
        return serviceKey is null
            ? services.AddSingleton(provider => provider.Hosted<TPipeline>(key: null).GetAsync().GetAwaiter().GetResult())
            : services.AddKeyedSingleton(serviceKey, (provider, key) => provider.Hosted<TPipeline>(key).GetAsync().GetAwaiter().GetResult());
    }

    /// <summary>Refuses to make an <see cref="IChatClient"/>: a chat needs the template that the model was trained with, and this version renders none.
    /// Models that continue text are <see cref="TextGenerator"/>s.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="path">A checkpoint's directory.</param>
    /// <exception cref="NotSupportedException">Always; it says whether the model has a chat template at all.</exception>
    /// <exception cref="ConfigException">tokenizer_config.json is broken.</exception>
    public static ChatClientBuilder AddManagedTransformersChatClient(this IServiceCollection services, string path)
    {
        ArgumentNullException.ThrowIfNull(services);
        throw ChatTemplates.Refusal(ModelDirectories.Require(ModelDirectories.PlacesOf(path, ContentRootOf(services)), path));
    }

    /// <summary>Adds a check of all models: healthy when each answers, or will be loaded by the first call that needs it (<see cref="WarmUp.None"/>).</summary>
    /// <param name="builder">The app's health checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="failureStatus">What it reports while a model is being loaded, could not be loaded, or changed on disk; null: unhealthy.</param>
    /// <param name="tags">Tags to filter by, such as "ready".</param>
    public static IHealthChecksBuilder AddManagedTransformers(
        this IHealthChecksBuilder builder, string name = "managed-transformers", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name, provider => new ModelHealthCheck(provider.GetServices<HostedModel>()), failureStatus, tags));
    }

    /// <summary>How a model of a configuration becomes services.</summary>
    /// <param name="Add">Adds it with its key.</param>
    /// <param name="Services">What can be asked for by that key.</param>
    private sealed record Kind(Action<IServiceCollection, string, HostedModelOptions, string> Add, params Type[] Services);

    private static Dictionary<Type, Kind> Kinds { get; } = new()
    {
        [typeof(SentenceEmbeddingPipeline)] = new Kind(
            (services, path, options, name) => services.AddManagedTransformersEmbeddingGenerator(path, options, name),
            typeof(HostedPipeline<SentenceEmbeddingPipeline>), typeof(IEmbeddingGenerator<string, Embedding<float>>), typeof(IEmbeddingGenerator)),
        [typeof(FeatureExtractionPipeline)] = KindOf<FeatureExtractionPipeline>(),
        [typeof(FillMaskPipeline)] = KindOf<FillMaskPipeline>(),
        [typeof(TextClassificationPipeline)] = KindOf<TextClassificationPipeline>(),
        [typeof(TokenClassificationPipeline)] = KindOf<TokenClassificationPipeline>(),
        [typeof(RerankPipeline)] = KindOf<RerankPipeline>(),
        [typeof(NextSentencePipeline)] = KindOf<NextSentencePipeline>(),
        [typeof(TextGenerator)] = KindOf<TextGenerator>(),
        [typeof(TextScorer)] = KindOf<TextScorer>(),
    };

    private static Kind KindOf<TPipeline>() where TPipeline : Pipeline => new(
        (services, path, options, name) => services.AddManagedTransformersPipeline<TPipeline>(path, options, name),
        typeof(HostedPipeline<TPipeline>), typeof(TPipeline));

    private static void AddHosted<TPipeline>(this IServiceCollection services, string path, HostedModelOptions? options, object? serviceKey)
        where TPipeline : Pipeline
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (serviceKey is null)
            ConfiguredModels.Of(services).YieldTo(services, typeof(TPipeline));
        if (services.Any(one => one.ServiceType == typeof(HostedPipeline<TPipeline>) && Equals(one.ServiceKey, serviceKey)))
        {
            string key = serviceKey is null ? "without a key" : $"with the key {serviceKey}";
            throw new ArgumentException($"There is a {typeof(TPipeline).Name} {key} already; {path} needs a serviceKey of its own.", nameof(serviceKey));
        }
        // A directory that is missing is told by who loads: nobody may ever need the model.
        HostedPipeline<TPipeline> Make(IServiceProvider provider) => new(path, options, serviceKey?.ToString(), provider.GetService<ILoggerFactory>())
        {
            Places = ModelDirectories.PlacesOf(path, provider.GetService<IHostEnvironment>()?.ContentRootPath),
        };
        if (serviceKey is null)
            services.AddSingleton(Make);
        else
            services.AddKeyedSingleton(serviceKey, (provider, _) => Make(provider));
        services.AddSingleton<HostedModel>(provider => provider.Hosted<TPipeline>(serviceKey));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ModelWarmUpService>());
    }

    private static HostedPipeline<TPipeline> Hosted<TPipeline>(this IServiceProvider provider, object? key) where TPipeline : Pipeline => key is null
        ? provider.GetRequiredService<HostedPipeline<TPipeline>>()
        : provider.GetRequiredKeyedService<HostedPipeline<TPipeline>>(key);

    private static string? ContentRootOf(IServiceCollection services) =>
        (services.LastOrDefault(one => one.ServiceType == typeof(IHostEnvironment))?.ImplementationInstance as IHostEnvironment)?.ContentRootPath;
}
