using System.Runtime.CompilerServices;

namespace ManagedTransformers.Serving;

/// <summary>Generates texts for many callers at once with one model. Thread-safe.</summary>
/// <example><code>
/// using var generator = TextGenerator.Load("models/demo-codegen");
/// await using var engine = new GenerationEngine(generator);
/// var request = new GenerationRequest(generator.Encode("def add(a, b):\n")) { Options = new GenerationOptions { MaxNewTokens = 32 } };
/// await foreach (GenerationUpdate update in engine.StreamAsync(request))
///     Console.Write(update.Piece.Text);
/// </code></example>
public sealed class GenerationEngine : IAsyncDisposable
{
    private readonly SemaphoreSlim _one = new(1);

    /// <summary>Starts an engine; the generator stays the caller's, and must outlive it.</summary>
    /// <param name="generator">The model and its tokenizer.</param>
    /// <param name="options">How it is shared; null: the defaults.</param>
    public GenerationEngine(TextGenerator generator, GenerationEngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(generator);
        (Generator, Options) = (generator, options ?? new GenerationEngineOptions());
    }

    /// <summary>The model and its tokenizer.</summary>
    public TextGenerator Generator { get; }

    /// <summary>How it is shared.</summary>
    public GenerationEngineOptions Options { get; }

    /// <summary>What it is doing now.</summary>
    public GenerationEngineState State => new([], 0, 0, 0, 0, new GenerationEngineTotals());

    /// <summary>Works on a request and gives its texts piece by piece, those of several texts interleaved. A consumer that is slow or gone holds nobody
    /// up.</summary>
    /// <param name="request">What is asked for. It is checked, and takes its place in the queue, before this returns.</param>
    /// <param name="cancellationToken">Ends the work within one token, and frees its place. Disposing the enumerator does the same.</param>
    /// <exception cref="ModelInputException">The prompt leaves no room, an id is outside the vocabulary, or the options contradict each other.</exception>
    /// <exception cref="EngineBusyException">As many requests wait as the engine takes.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public IAsyncEnumerable<GenerationUpdate> StreamAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return RunAsync(request, cancellationToken);
    }

    /// <summary>Works on a request until all its texts have ended.</summary>
    /// <inheritdoc cref="StreamAsync"/>
    public async Task<GenerationResult> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            GenerationOutput output = await Task.Run(
                () => Generator.GenerateSequences([request.PromptIds.ToArray()], request.Options, progress: null, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            return new GenerationResult(output.Sequences, output.Usage);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Ends all requests and gives the memory back.</summary>
    public ValueTask DisposeAsync()
    {
        _one.Dispose();
        return ValueTask.CompletedTask;
    }

    private async IAsyncEnumerable<GenerationUpdate> RunAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        GenerationResult result = await GenerateAsync(request, cancellationToken).ConfigureAwait(false);
        for (int i = 0; i < result.Sequences.Count; i++)
        {
            GeneratedSequence one = result.Sequences[i];
            yield return new GenerationUpdate(i, new TextPiece(one.Text, one.TokenIds)
            {
                LogProbabilities = one.LogProbabilities, FinishReason = one.FinishReason, Usage = result.Usage,
            });
        }
    }
}
