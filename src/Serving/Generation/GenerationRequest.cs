namespace ManagedTransformers.Serving;

/// <summary>What one caller of a <see cref="GenerationEngine"/> asks for: one prompt and what to do with it.</summary>
/// <param name="PromptIds">The prompt's tokens, at least one: <see cref="TextGenerator.Encode"/> gives them.</param>
public sealed record GenerationRequest(IReadOnlyList<int> PromptIds)
{
    /// <summary>Everything that generate() takes, NumReturnSequences and NumBeams as well. <see cref="GenerationOptions.MaxTime"/> counts from when the
    /// request was made, its time in the queue included.</summary>
    public GenerationOptions Options { get; init; } = GenerationOptions.Default;

    /// <summary>How many texts are generated, of which the NumReturnSequences with the highest mean log probability per token are given (best_of of
    /// OpenAI's API); null: just those. They are given when all have ended. Not with beams.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? BestOf { get; init => field = OptionRange.Least(1, value); }

    /// <summary>Read the prompt and generate nothing: for its log probabilities, or to have it in the cache.</summary>
    public bool PromptOnly { get; init; }

    /// <summary>Give the log probability of each token of the prompt, and of this many best alternatives; null: none are given. Computes the scores of all
    /// its tokens, so that nothing of it is taken from the cache.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int? PromptLogProbabilities { get; init => field = OptionRange.Least(0, value); }

    /// <summary>Whether the prompt may take over what the cache holds, and stays there for requests that begin alike.</summary>
    public bool CachePrompt { get; init; } = true;

    /// <summary>What texts of this request had begun with, by index, in an engine that was lost: the tokens of the pieces that it gave. The texts go on from
    /// there, to the bit as they would have there, and only what follows is given; of a text that had ended, a last piece without text. The random numbers
    /// are the same only with a <see cref="GenerationOptions.Seed"/>, and <see cref="GenerationOptions.MaxTime"/> begins anew. Not with BestOf, beams, an
    /// assistant or PromptLogProbabilities, and in a deterministic engine alone.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Begun { get; init; } = [];

    /// <summary>Whether texts are without the special tokens that the model writes, such as those of infilling.</summary>
    public bool SkipSpecialTokens { get; init; }

    /// <summary>What was left out of an infill request's prompt.</summary>
    internal (int Files, int Tokens) Dropped { get; init; }
}

/// <summary>What a <see cref="GenerationEngine"/> says of a request while it works on it.</summary>
/// <param name="Index">Which of the request's texts, from 0 on.</param>
/// <param name="Piece">The next piece of that text. The last piece of each has a FinishReason and what the text took; with
/// <see cref="GenerationRequest.PromptOnly"/> there is one piece, without text.</param>
public sealed record GenerationUpdate(int Index, TextPiece Piece)
{
    /// <summary>In the first update, where they were asked for: one for each token of the prompt, the first of which is null.</summary>
    public IReadOnlyList<TokenProbability?>? PromptLogProbabilities { get; init; }
}

/// <summary>All that came of a request.</summary>
/// <param name="Sequences">Its texts, by index.</param>
/// <param name="Usage">What they took together: CachedTokens of the prompt were in the cache.</param>
public sealed record GenerationResult(IReadOnlyList<GeneratedSequence> Sequences, GenerationUsage Usage)
{
    /// <inheritdoc cref="GenerationUpdate.PromptLogProbabilities"/>
    public IReadOnlyList<TokenProbability?>? PromptLogProbabilities { get; init; }
}

/// <summary>How a <see cref="GenerationEngine"/> shares a model among its callers.</summary>
public sealed record GenerationEngineOptions
{
    /// <summary>The most texts that are generated at once; others wait.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxRows { get; init => field = OptionRange.Least(1, value); } = 32;

    /// <summary>The most requests that wait, where 0 is as 1: a request waits until the step that runs is over. One more is refused with
    /// <see cref="EngineBusyException"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int MaxQueue { get; init => field = OptionRange.Least(0, value); } = 256;

    /// <summary>The most tokens of prompts that are read between two steps of the texts that run, so that these do not stall.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 17, from where on a prompt's bits do not depend on its parts.</exception>
    public int PromptTokensPerStep { get; init => field = OptionRange.Least(LeastPromptTokensPerStep, value); } = 32;

    internal const int LeastPromptTokensPerStep = MatMul.TiledRows;

    /// <summary>The most bytes of keys and values, of running texts and of the prefix cache together; a prompt that does not fit waits for others to end.
    /// Null: a quarter of the memory that the process may use.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public long? CacheBytes { get; init => field = OptionRange.Least(0, value); }

    /// <summary>Whether a request's text is the same whatever else runs, as <see cref="TextGenerator.Generate(string, GenerationOptions?,
    /// CancellationToken)"/> gives it. Without it prompts also take over what was generated, and more than 64 texts go through the model in one pass: faster,
    /// with sums whose last bits depend on the company.</summary>
    public bool Deterministic { get; init; } = true;

    /// <summary>How keys and values are kept; null: as the checkpoint's generation_config.json says, else as F32.</summary>
    public WeightType? KeyValueType { get; init; }
}

/// <summary>What a <see cref="GenerationEngine"/> is doing.</summary>
/// <param name="Running">The texts that are being read or generated.</param>
/// <param name="Waiting">Requests that wait.</param>
/// <param name="CacheBytes">Bytes of keys and values in use.</param>
/// <param name="CacheLimit">The most that there may be.</param>
/// <param name="CachedPrompts">Texts in the prefix cache.</param>
/// <param name="Totals">What was done since the engine began.</param>
public sealed record GenerationEngineState(
    IReadOnlyList<RunningText> Running, int Waiting, long CacheBytes, long CacheLimit, int CachedPrompts, GenerationEngineTotals Totals);

/// <summary>A text that runs.</summary>
/// <param name="Row">Its place, 0 … MaxRows − 1.</param>
/// <param name="Request">The number of its request, from 1 on.</param>
/// <param name="PromptTokens">Tokens of its prompt.</param>
/// <param name="PromptTokensRead">Those of them that were read, or taken from the cache.</param>
/// <param name="CachedTokens">Those of them that were taken from the cache.</param>
/// <param name="NewTokens">Tokens that were generated.</param>
public sealed record RunningText(int Row, long Request, int PromptTokens, int PromptTokensRead, int CachedTokens, int NewTokens);

/// <summary>What an engine did since it began.</summary>
public sealed record GenerationEngineTotals
{
    /// <summary>Requests that ended, failed and cancelled ones included.</summary>
    public long Requests { get; init; }

    /// <summary>Tokens of prompts, those from the cache included.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Tokens of prompts that were taken from the cache.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Tokens generated.</summary>
    public long NewTokens { get; init; }

    /// <summary>Passes of the model that generated tokens.</summary>
    public long Passes { get; init; }

    /// <summary>Texts in those passes, counted once for each pass.</summary>
    public long RowsOfPasses { get; init; }

    /// <summary>Time spent reading prompts.</summary>
    public TimeSpan PrefillTime { get; init; }

    /// <summary>Time spent generating.</summary>
    public TimeSpan DecodeTime { get; init; }
}

/// <summary>An engine has as many requests waiting as it takes. Try again later, or raise MaxQueue.</summary>
public sealed class EngineBusyException : ManagedTransformersException
{
    /// <summary>An exception that says how many wait.</summary>
    public EngineBusyException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public EngineBusyException(string message, Exception inner) : base(message, inner)
    {
    }
}
