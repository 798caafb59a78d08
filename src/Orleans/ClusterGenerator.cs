using System.Runtime.CompilerServices;

namespace ManagedTransformers.Orleans;

/// <summary>How a <see cref="ClusterGenerator"/> calls silos.</summary>
public sealed record ClusterGeneratorOptions
{
    /// <summary>A request fails after this many silos that fail one after the other, without a token in between.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxFailures { get; init => field = OptionRange.Least(1, value); } = 20;

    /// <summary>The most pieces of text that come in one message. They are those that are there: none waits for others.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxPiecesPerMessage { get; init => field = OptionRange.Least(1, value); } = 4;
}

/// <summary>Generates texts with a model of a cluster, as a <see cref="GenerationEngine"/> does in one process. Thread-safe.</summary>
/// <remarks>A request goes to the silo where it costs the least: the part of its prompt that is to be read, and the requests there. When that silo is lost, the
/// text goes on on another one after the tokens that have come, and is the text that it would have been.</remarks>
/// <example><code>
/// var generator = new ClusterGenerator(client, "demo-codegen");
/// await foreach (GenerationUpdate update in generator.StreamAsync(new GenerationRequest(promptIds)))
///     Console.Write(update.Piece.Text);
/// </code></example>
public sealed class ClusterGenerator : IGenerationEngine
{
    private readonly IGrainFactory _grains;
    private readonly ClusterGeneratorOptions _options;
    private readonly SiloEngines? _here;
    private readonly TextGenerator? _header;

    /// <summary>A caller of one model.</summary>
    /// <param name="grains">A client of the cluster, or a silo's grain factory.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="options">How silos are called; null: the defaults.</param>
    public ClusterGenerator(IGrainFactory grains, string model, ClusterGeneratorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(grains);
        ArgumentException.ThrowIfNullOrEmpty(model);
        (_grains, Model, _options) = (grains, model, options ?? new ClusterGeneratorOptions());
    }

    /// <summary>The same in front of routes.</summary>
    /// <param name="grains">The cluster.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="options">How silos are called.</param>
    /// <param name="here">The silo of this process; null: it is none.</param>
    /// <param name="header">The model, without weights.</param>
    internal ClusterGenerator(IGrainFactory grains, string model, ClusterGeneratorOptions options, SiloEngines? here, TextGenerator header)
        : this(grains, model, options) => (_here, _header) = (here, header);

    /// <summary>What the model is called.</summary>
    public string Model { get; }

    internal GenerationEngineOptions EngineOptions { get; init; } = new();

    GenerationEngineOptions IGenerationEngine.Options => EngineOptions;

    TextGenerator IGenerationEngine.Generator => _header ?? throw new InvalidOperationException("This caller was made without a tokenizer.");

    /// <summary>The silos that have the model, as far as they have reported.</summary>
    public async Task<IReadOnlyList<ClusterSilo>> GetSilosAsync() =>
        await _grains.GetGrain<IModelDirectoryGrain>(Model).SilosAsync().ConfigureAwait(false);

    /// <summary>Works on a request and gives its texts piece by piece, each piece once, whatever becomes of silos.</summary>
    /// <param name="request">What is asked for. It is on its way before this returns. Without a seed, texts that are drawn at random get one.</param>
    /// <param name="cancellationToken">Ends the work within one token, and frees its place. Disposing the enumerator does the same.</param>
    /// <exception cref="ModelInputException">What an engine refuses, or the options hold objects of this process.</exception>
    /// <exception cref="UnknownModelException">No silo has the model.</exception>
    /// <exception cref="ModelLoadException">No silo has room for it, or it cannot be loaded.</exception>
    /// <exception cref="EngineBusyException">The silo has as many requests waiting as it takes.</exception>
    /// <exception cref="NoSiloException">Silos failed one after the other.</exception>
    public IAsyncEnumerable<GenerationUpdate> StreamAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        OptionsJson.Write(request.Options);                             // refused here, not at the first piece
        cancellationToken.ThrowIfCancellationRequested();
        var stream = new ClusterStream(_grains, Model, request, _options, _here);
        Task<GenerationUpdate?> first = stream.NextAsync(cancellationToken);
        first.Ignore();                                                 // who does not read hears of no error
        return UpdatesOf(stream, first, cancellationToken);
    }

    /// <summary>Works on a request until all its texts have ended.</summary>
    /// <inheritdoc cref="StreamAsync"/>
    public Task<GenerationResult> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
        GenerationEngine.ResultOf(StreamAsync(request, cancellationToken), request);

    private static async IAsyncEnumerable<GenerationUpdate> UpdatesOf(
        ClusterStream stream, Task<GenerationUpdate?> first, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using (stream)
        {
            for (Task<GenerationUpdate?> next = first; await next.ConfigureAwait(false) is GenerationUpdate update; next = stream.NextAsync(cancellationToken))
                yield return update;
        }
    }
}
