using Microsoft.Extensions.AI;

namespace ManagedTransformers.Extensions.AI;

/// <summary>What calls must have in common to go into one batch.</summary>
/// <param name="Dimensions">As asked for.</param>
/// <param name="ModelId">As asked for.</param>
/// <param name="Options">What RawRepresentationFactory made, or the model's own; compared by value.</param>
internal sealed record BatchKey(int? Dimensions, string? ModelId, EmbeddingOptions? Options);

/// <summary>A call that waits for its vectors; two batches may have texts of it.</summary>
internal sealed class EmbeddingCall
{
    private readonly TaskCompletionSource<GeneratedEmbeddings<Embedding<float>>> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenRegistration _registration;
    private readonly Embedding<float>[] _vectors;
    private int _missing;
    private long _tokens;

    public EmbeddingCall(string[] texts, BatchKey key, CancellationToken cancellationToken)
    {
        (Texts, Key, Token) = (texts, key, cancellationToken);
        (_vectors, _missing) = (new Embedding<float>[texts.Length], texts.Length);
        _registration = cancellationToken.UnsafeRegister(static (call, token) => ((EmbeddingCall)call!)._result.TrySetCanceled(token), this);
    }

    public string[] Texts { get; }
    public BatchKey Key { get; }
    public CancellationToken Token { get; }

    /// <summary>How many texts are in batches already, or done.</summary>
    public int Taken { get; set; }

    public bool IsOver => _result.Task.IsCompleted;

    public Task<GeneratedEmbeddings<Embedding<float>>> Result => _result.Task;

    /// <summary>Takes the vectors of some of its texts.</summary>
    public void Deliver(int offset, ReadOnlySpan<Embedding<float>> vectors, long tokens)
    {
        vectors.CopyTo(_vectors.AsSpan(offset));
        long all = Interlocked.Add(ref _tokens, tokens);
        if (Interlocked.Add(ref _missing, -vectors.Length) > 0)
            return;
        _registration.Dispose();
        _result.TrySetResult(new GeneratedEmbeddings<Embedding<float>>(_vectors) { Usage = new UsageDetails { InputTokenCount = all, TotalTokenCount = all } });
    }

    public void Fail(Exception error)
    {
        _registration.Dispose();
        _result.TrySetException(error);
    }
}

/// <summary>Some texts of a call, one after the other.</summary>
internal readonly record struct CallPart(EmbeddingCall Call, int Offset, int Count)
{
    public ArraySegment<string> Texts => new(Call.Texts, Offset, Count);
}
