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
/// <remarks>A request goes to the silo that holds the most of its prompt's beginning, else to the one with the fewest requests. When that silo is lost, the
/// text goes on on another one after the tokens that have come, and is the text that it would have been.</remarks>
/// <example><code>
/// var generator = new ClusterGenerator(client, "demo-codegen");
/// await foreach (GenerationUpdate update in generator.StreamAsync(new GenerationRequest(promptIds)))
///     Console.Write(update.Piece.Text);
/// </code></example>
public sealed class ClusterGenerator
{
    private readonly IGrainFactory _grains;
    private readonly ClusterGeneratorOptions _options;

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

    /// <summary>What the model is called.</summary>
    public string Model { get; }

    /// <summary>The silos that have the model, as far as they have reported.</summary>
    public async Task<IReadOnlyList<ClusterSilo>> GetSilosAsync() =>
        await _grains.GetGrain<IModelDirectoryGrain>(Model).SilosAsync().ConfigureAwait(false);

    /// <summary>Works on a request and gives its texts piece by piece, each piece once, whatever becomes of silos.</summary>
    /// <param name="request">What is asked for. Without a seed, texts that are drawn at random get one.</param>
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
        return UpdatesOf(request, cancellationToken);
    }

    /// <summary>Works on a request until all its texts have ended.</summary>
    /// <inheritdoc cref="StreamAsync"/>
    public Task<GenerationResult> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
        GenerationEngine.ResultOf(StreamAsync(request, cancellationToken), request);

    private async IAsyncEnumerable<GenerationUpdate> UpdatesOf(
        GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stream = new ClusterStream(_grains, Model, request, _options);
        while (await stream.NextAsync(cancellationToken).ConfigureAwait(false) is GenerationUpdate update)
            yield return update;
    }
}
