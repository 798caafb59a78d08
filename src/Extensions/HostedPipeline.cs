using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Extensions.AI;

/// <summary>A pipeline of an app: loaded once and asynchronously, with a limit of calls at once, metrics, and a look at its files before each call.</summary>
/// <typeparam name="TPipeline">Any pipeline of this library that <c>Load</c> opens.</typeparam>
/// <param name="directory">A checkpoint's directory.</param>
/// <param name="options">When it is loaded and how many calls run at once; null: the defaults.</param>
/// <param name="name">What logs and metrics call it; null: the directory's last part.</param>
/// <param name="loggers">Where to log; null: nowhere.</param>
/// <exception cref="NotSupportedException"><typeparamref name="TPipeline"/> is none of the pipelines.</exception>
public sealed class HostedPipeline<TPipeline>(string directory, HostedModelOptions? options = null, string? name = null, ILoggerFactory? loggers = null)
    : HostedModel(directory, PipelineKind.Of<TPipeline>(), options, name, loggers)
    where TPipeline : Pipeline
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _free = new(
        options?.MaxConcurrency ?? (typeof(TPipeline) == typeof(SentenceEmbeddingPipeline) ? 1 : Environment.ProcessorCount));
    private Task<TPipeline>? _load;
    private int _running;                               // calls that have a place

    /// <inheritdoc/>
    public override Task LoadAsync(CancellationToken cancellationToken = default) => GetAsync(cancellationToken);

    /// <summary>The pipeline; loads it where nobody has done so. It stays this object's, and belongs to all callers.</summary>
    /// <param name="cancellationToken">Ends the waiting; the loading goes on for others.</param>
    /// <exception cref="ModelChangedException">The files are no longer those that were loaded.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public Task<TPipeline> GetAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (IsDisposed)
                throw Disposed();
            // Not once and for all: a file that was missing may be there now.
            if (_load is null or { IsFaulted: true } or { IsCanceled: true })
                _load = Task.Run(() => (TPipeline)LoadNow(), CancellationToken.None).Unwatched();
            if (_load.IsCompletedSuccessfully)
                RequireUnchanged();
            return _load.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Runs a call on a thread of the pool, as soon as fewer than <see cref="HostedModelOptions.MaxConcurrency"/> run.</summary>
    /// <param name="work">The call.</param>
    /// <param name="cancellationToken">Ends the waiting at once; work that runs ends where the pipeline looks at the token, and holds its place until
    /// then.</param>
    /// <exception cref="ModelChangedException">The files are no longer those that were loaded.</exception>
    public Task<TResult> RunAsync<TResult>(Func<TPipeline, CancellationToken, TResult> work, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync((pipeline, token) => Task.Run(() => work(pipeline, token), token), cancellationToken);
    }

    /// <summary>Runs a call that awaits.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{TPipeline, CancellationToken, TResult}, CancellationToken)"/>
    public async Task<TResult> RunAsync<TResult>(Func<TPipeline, CancellationToken, Task<TResult>> work, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        using ModelTelemetry.ModelOperation operation = ModelTelemetry.Begin(Kind.Operation, Name);
        try
        {
            Task<TResult> running = HoldPlaceAsync(work, await EnterAsync(cancellationToken).ConfigureAwait(false), cancellationToken).Unwatched();
            return await running.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            operation.Failed(e);
            throw;
        }
    }

    /// <summary>Waits for a place; disposing gives it back.</summary>
    internal async Task<Place> EnterAsync(CancellationToken cancellationToken)
    {
        TPipeline pipeline = await GetAsync(cancellationToken).ConfigureAwait(false);
        await _free.WaitAsync(cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            if (!IsDisposed)
            {
                _running++;
                return new Place(pipeline, this);
            }
        }
        _free.Release();
        throw Disposed();
    }

    private protected override void DisposePipeline()
    {
        lock (_gate)
        {
            if (_running > 0)
                return;                                 // the last call that runs does it
            // A loading that runs disposes what it made, or its continuation does.
            _ = _load?.ContinueWith(load => load.Result.Dispose(), CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private void Leave()
    {
        bool isLast;
        lock (_gate)
            isLast = --_running == 0;
        _free.Release();
        if (isLast && IsDisposed)
            DisposePipeline();
    }

    private static async Task<TResult> HoldPlaceAsync<TResult>(
        Func<TPipeline, CancellationToken, Task<TResult>> work, Place place, CancellationToken cancellationToken)
    {
        using (place)
            return await work(place.Pipeline, cancellationToken).ConfigureAwait(false);
    }

    internal sealed class Place(TPipeline pipeline, HostedPipeline<TPipeline> owner) : IDisposable
    {
        public TPipeline Pipeline => pipeline;

        public void Dispose() => owner.Leave();
    }
}

/// <summary>Streams of hosted generators.</summary>
public static class HostedTextGeneratorExtensions
{
    /// <summary>Continues a text piece by piece, as <see cref="TextGenerator.StreamAsync(string, GenerationOptions, CancellationToken)"/> does, within the
    /// limit of calls at once; measures the time to the first piece and per token.</summary>
    /// <exception cref="ModelChangedException">The generator's files are no longer those that were loaded.</exception>
    /// <inheritdoc cref="TextGenerator.StreamAsync(string, GenerationOptions, CancellationToken)"/>
    public static async IAsyncEnumerable<TextPiece> StreamAsync(
        this HostedPipeline<TextGenerator> generator, string prompt, GenerationOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(generator);
        using ModelTelemetry.ModelOperation operation = ModelTelemetry.Begin(generator.Kind.Operation, generator.Name);
        using HostedPipeline<TextGenerator>.Place place = await generator.EnterAsync(cancellationToken).ConfigureAwait(false);
        await using IAsyncEnumerator<TextPiece> pieces = place.Pipeline.StreamAsync(prompt, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (await NextAsync(pieces, operation).ConfigureAwait(false))
        {
            TextPiece piece = pieces.Current;
            operation.Piece();
            if (piece.Usage is GenerationUsage usage)
            {
                operation.SetTag("gen_ai.usage.input_tokens", usage.PromptTokens);
                operation.SetTag("gen_ai.usage.output_tokens", usage.NewTokens);
                operation.Completed(usage.NewTokens);
            }
            yield return piece;
        }
    }

    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<TextPiece> pieces, ModelTelemetry.ModelOperation operation)
    {
        try
        {
            return await pieces.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            operation.Failed(e);
            throw;
        }
    }
}
