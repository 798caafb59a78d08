using System.Runtime.CompilerServices;

namespace ManagedTransformers.Cli;

/// <summary>What a stream said besides its text. A recipe that cuts it passes only text and tokens on.</summary>
internal sealed class StreamRecord
{
    private readonly List<TokenLogProbability> _logProbabilities = [];
    private bool _hasLogProbabilities;

    /// <summary>Why the text ended.</summary>
    public FinishReason FinishReason { get; private set; } = FinishReason.Criterion;

    /// <summary>What it took; null where the consumer stopped before the end.</summary>
    public GenerationUsage? Usage { get; private set; }

    /// <summary>What the model gave to each token; null where nobody asked.</summary>
    public IReadOnlyList<TokenLogProbability>? LogProbabilities => _hasLogProbabilities ? _logProbabilities : null;

    /// <summary>The pieces as they are.</summary>
    public async IAsyncEnumerable<TextPiece> Of(IAsyncEnumerable<TextPiece> pieces, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (TextPiece piece in pieces.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            (FinishReason, Usage) = (piece.FinishReason ?? FinishReason, piece.Usage ?? Usage);
            _hasLogProbabilities |= piece.LogProbabilities is not null;
            _logProbabilities.AddRange(piece.LogProbabilities ?? []);
            yield return piece;
        }
    }
}
