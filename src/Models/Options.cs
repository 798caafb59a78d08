using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>How a checkpoint is loaded.</summary>
public sealed record LoadOptions
{
    /// <summary>Kernel level and number of threads of the model's sessions.</summary>
    public KernelOptions Kernels { get; init; } = KernelOptions.Default;

    /// <summary>
    /// Whether what is otherwise a warning is an error: a tensor of the checkpoint that the model does not know, or names that all begin with what a
    /// training framework
    /// put before them. Known buffers and the heads of sibling architectures (the <c>cls</c> of a BertForPreTraining checkpoint opened as BertModel) are
    /// neither.
    /// </summary>
    public bool Strict { get; init; }

    /// <summary>Opens configuration and class alone, without weight files: what encodes, plans and counts works, and what computes fails.</summary>
    internal bool SkipWeights { get; init; }

    /// <summary>Told each warning when the model is loaded, for a log; <see cref="PretrainedModel.Warnings"/> has them afterwards.</summary>
    public Action<string>? OnWarning { get; init; }

    /// <summary>How the weights of linear layers are held: as stored, or quantized while loading, in a half or a quarter of F16's memory.</summary>
    /// <remarks>
    /// Embeddings, LayerNorms and biases stay as they are, and so do matrices whose columns are no multiple of 64. Weights that are quantized while loading
    /// are held in memory, and the pages of the file that they were made of are given back, one matrix after the other (not on Windows);
    /// those that a checkpoint stores in blocks (<see cref="ConversionOptions.WeightFormat"/>) are mapped as they are, and asking for blocks of another
    /// format is an error.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the formats.</exception>
    public WeightFormat WeightFormat
    {
        get;
        init => field = Enum.IsDefined(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), value,
            $"WeightFormat is {(int)value}; one of {string.Join(", ", Enum.GetNames<WeightFormat>())} is needed.");
    }

    /// <summary>Whether <see cref="WeightFormat"/> holds for the head over the vocabulary (lm_head, a masked-LM decoder) as well. One that is tied to the
    /// embeddings is quantized while loading and held in addition to them; they stay as they are.</summary>
    public bool QuantizeHead { get; init; }

    /// <summary>
    /// Whether weights of linear layers in F16 and BF16 are held as F32, in twice the memory: for where .NET is interpreted, and decoding them costs more
    /// than multiplying. By default true in a browser and false elsewhere. Blocks of integers, embeddings and a head that is tied to them stay as they are.
    /// </summary>
    public bool WidenWeights { get; init; } = OperatingSystem.IsBrowser();

    /// <summary>
    /// Whether weight files are mapped: opened at once, their pages shared with other processes and read when they are used. Replace such files by a rename,
    /// which a loaded model does not feel. One that is written to in place is noticed when the next pass begins, by its length and time: a
    /// <see cref="CheckpointException"/>. One that is cut while a pass runs ends the process (SIGBUS, or an access violation), which no exception handler sees.
    /// False: files are read whole into memory of the process's own, and what happens to them afterwards changes nothing.
    /// </summary>
    public bool MapWeights { get; init; } = true;

    /// <summary>The defaults.</summary>
    public static LoadOptions Default => new();
}

/// <summary>How the weights of linear layers are held in memory.</summary>
public enum WeightFormat
{
    /// <summary>As the checkpoint has them, also where it stores them quantized: mapped, not copied.</summary>
    AsStored,

#pragma warning disable CA1720 // what the field calls these formats
    /// <summary>8-bit integers with a scale per 32 weights: 8.5 bits each.</summary>
    Int8,

    /// <summary>4-bit integers with a scale per 32 weights: 4.5 bits each.</summary>
    Int4,
#pragma warning restore CA1720
}

/// <summary>What a session is prepared for.</summary>
public sealed record SessionOptions
{
    /// <summary>Kernel level and number of threads; the model's when null.</summary>
    public KernelOptions? Kernels { get; init; }

    /// <summary>Sequences of a decoder's KV cache.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>The most tokens per sequence of a decoder's KV cache, whose memory grows with the text; n_positions when null.</summary>
    public int? MaxLength { get; init; }

    /// <summary>How a decoder's keys and values are stored: float32, or in half the memory as F16 or BF16, which rounds them.</summary>
    /// <remarks>Reference outputs are those of float32.</remarks>
    public WeightType KeyValueType { get; init; } = WeightType.F32;
}

/// <summary>What one forward pass gives back.</summary>
public sealed record ForwardOptions
{
    /// <summary>Return every layer's hidden state (output_hidden_states).</summary>
    public bool OutputHiddenStates { get; init; }

    /// <summary>Return every layer's attention probabilities, after softmax and head mask (output_attentions). Implies <see cref="ComputePadding"/>.</summary>
    public bool OutputAttentions { get; init; }

    /// <summary>Return a decoder's keys and values (past_key_values, as use_cache does); the session keeps them in any case.</summary>
    public bool OutputPastKeyValues { get; init; }

    /// <summary>
    /// Compute positions whose attention_mask is 0 as well, as transformers does. By default they are left out (no arithmetic on
    /// padding) and their places in the outputs are zero; all other places are the same either way.
    /// </summary>
    public bool ComputePadding { get; init; }

    /// <summary>Leave the last hidden state where the layers wrote it: [tokens, hidden], row after row without padding, in the session's workspace, until its
    /// next pass.</summary>
    internal bool LeavePacked { get; init; }

    /// <summary>The (row, column) places whose logits are wanted; logits are then [places, vocab_size]. All places when null.</summary>
    public IReadOnlyList<(int Row, int Column)>? LogitsAt { get; init; }

    /// <summary>The defaults.</summary>
    public static ForwardOptions Default => new();

    /// <summary>The defaults for passes that allocate nothing; nobody else gets them.</summary>
    internal static ForwardOptions OfSteps { get; } = new();
}
