using System.Runtime.CompilerServices;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>Continues texts and fills gaps with a causal language model, greedily.</summary>
/// <remarks>transformers' TextGenerationPipeline and TextIteratorStreamer. Each call has its own KV cache; many may run at once.</remarks>
/// <example><code>
/// using var generator = TextGenerator.Load("models/demo-codegen");
/// await foreach (var piece in generator.StreamAsync("def hello_world():", new GenerationOptions { MaxNewTokens = 64 }))
///     Console.Write(piece.Text);
/// </code></example>
public sealed class TextGenerator : Pipeline
{
    private static readonly EncodeOptions Whole = new() { Truncation = Truncation.None, Padding = Padding.None };
    private readonly CodeGenForCausalLM _model;
    private readonly GenerationDefaults _defaults;

    private TextGenerator(
        PretrainedModel model, Tokenizer tokenizer, ReadOnlyMemory<byte>? generationConfig, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        _model = model as CodeGenForCausalLM
            ?? throw new ConfigException($"{model.Architecture} does not generate text; CodeGenForCausalLM is needed (config.json, architectures).");
        _defaults = GenerationDefaults.Of(generationConfig, model.Config, tokenizer);
    }

    /// <summary>The checkpoint's own settings, which hold where a call's options are null: generation_config.json and the end token.</summary>
    public GenerationOptions Defaults => _defaults.Options;

    /// <summary>What is odd about the checkpoint, for people to read: an end token in config.json that is not the tokenizer's, sampling that is not done.
    /// Empty where all is well.</summary>
    public IReadOnlyList<string> Warnings => _defaults.Warnings;

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static TextGenerator Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static TextGenerator FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create"/>
    public static TextGenerator Create(CodeGenForCausalLM model, Tokenizer tokenizer) => new(model, tokenizer, generationConfig: null, ownsModel: false);

    /// <summary>Continues a text.</summary>
    /// <param name="prompt">The text; empty: generation starts from the beginning-of-text token (CodeGen's &lt;|endoftext|>).</param>
    /// <param name="options">Limits, end tokens, where to cut.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new text, without the prompt and without an end token.</returns>
    /// <exception cref="ModelInputException">The prompt leaves no room in n_positions, or the options contradict each other.</exception>
    public string Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Generate([prompt], options, progress: null, cancellationToken)[0];

    /// <summary>Continues many texts, in batches without padding; a text that ended leaves its batch.</summary>
    /// <param name="prompts">The texts.</param>
    /// <param name="options">Limits, end tokens, where to cut.</param>
    /// <param name="progress">Told after every token how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    public IReadOnlyList<string> Generate(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        options ??= GenerationOptions.Default;
        IReadOnlyList<int[]> generated = GenerateIds([.. prompts.Select(Encode)], options, progress, cancellationToken);
        return [.. generated.Select(ids => ToText(ids, options))];
    }

    /// <summary>Continues prompts that are token ids already.</summary>
    /// <param name="prompts">Ids of each prompt, of any lengths, without padding; none empty.</param>
    /// <param name="options">Limits and end tokens.</param>
    /// <param name="progress">Told after every token how many prompts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new ids of each prompt, its end token included where one came.</returns>
    /// <exception cref="ModelInputException">A prompt is empty or leaves no room, an id is outside the vocabulary, or the options contradict each
    /// other.</exception>
    public IReadOnlyList<int[]> GenerateIds(
        IReadOnlyList<int[]> prompts, GenerationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        CausalLMGeneration.Generate(_model, prompts, options ?? GenerationOptions.Default, Defaults, progress, cancellationToken);

    /// <summary>Continues a text piece by piece; all pieces together are what <see cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    /// gives.</summary>
    /// <remarks>The model runs on the thread pool and never ahead of the consumer: who stops asking stops the work.</remarks>
    /// <exception cref="OperationCanceledException">While enumerating: the token was cancelled. It takes effect within one token.</exception>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TextPiece> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= GenerationOptions.Default;
        int[] ids = Encode(prompt);
        return StreamAsync(ids, StoppingCriteria.Of(options, Defaults, _model.Config, ids.Length), options, cancellationToken);
    }

    /// <summary>Writes what stands between two texts, in CodeGen2's format; the answer is cut at &lt;eom>.</summary>
    /// <param name="prefix">What stands before the gap.</param>
    /// <param name="suffix">What stands after it.</param>
    /// <param name="options">Limits, end tokens, where to cut.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The text of the gap.</returns>
    /// <exception cref="ConfigException">The tokenizer lacks one of CodeGen2's tokens.</exception>
    /// <exception cref="ModelInputException">The texts leave no room in n_positions, or the options contradict each other.</exception>
    public string Infill(string prefix, string suffix, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentNullException.ThrowIfNull(suffix);
        return Infill([prefix, suffix], options, cancellationToken)[0];
    }

    /// <summary>Writes what stands between several texts, one gap after the other, in CodeGen2's format; each answer is known to the gaps after it.</summary>
    /// <param name="parts">The texts around the gaps, at least two: one more than there are gaps.</param>
    /// <param name="options">Limits (for each gap), end tokens, where to cut.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The text of each gap.</returns>
    /// <exception cref="ArgumentException">There are fewer than two texts.</exception>
    /// <exception cref="ConfigException">The tokenizer lacks one of CodeGen2's tokens: it has a mask for each gap that it can tell apart.</exception>
    /// <exception cref="ModelInputException">The texts leave no room in n_positions, or the options contradict each other.</exception>
    public IReadOnlyList<string> Infill(IReadOnlyList<string> parts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count < 2)
            throw new ArgumentException($"There are {parts.Count} texts; at least two are needed, with a gap between them.", nameof(parts));
        var answers = new string[parts.Count - 1];
        var format = new InfillFormat(Tokenizer, answers.Length);
        options ??= GenerationOptions.Default;
        options = options with { EosTokenId = [.. options.EosTokenId ?? Defaults.EosTokenId ?? [], format.EndOfMask] };
        int[] prompt = format.Prompt([.. parts]);
        for (int gap = 0; gap < answers.Length; gap++)
        {
            prompt = gap == 0 ? prompt : format.Next(prompt, answers[gap - 1], gap);
            answers[gap] = ToText(GenerateIds([prompt], options, progress: null, cancellationToken)[0], options);
        }
        return answers;
    }

    private static TextGenerator Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new TextGenerator(model, tokenizer, files.Find(GenerationDefaults.File), ownsModel: true));

    private async IAsyncEnumerable<TextPiece> StreamAsync(
        int[] prompt, StoppingCriteria stop, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var search = new GreedySearch(_model, [prompt], stop);
        var writer = new PieceWriter(Tokenizer, stop.EosTokenId, options.TruncateBeforePattern);
        while (await Task.Run(() => search.MoveNext(cancellationToken), cancellationToken).ConfigureAwait(false))
        {
            if (writer.Append(search.Generated(0)[^1]) is TextPiece piece)
                yield return piece;
        }
        if (writer.Flush() is TextPiece last)
            yield return last;
    }

    private int[] Encode(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] ids = Tokenizer.Encode(prompt, pair: null, Whole).Ids;
        return ids.Length > 0 ? ids : [BeginningOfText()];
    }

    private int BeginningOfText() => Tokenizer.SpecialTokens.BosTokenId ?? Tokenizer.SpecialTokens.EosTokenId ?? Model.Config.BosTokenId
        ?? throw new ModelInputException("The prompt is empty, and neither tokenizer nor config.json names a token that begins a text. Give a prompt.");

    private string ToText(int[] ids, GenerationOptions options)
    {
        IReadOnlyList<int> ends = options.EosTokenId ?? Defaults.EosTokenId ?? [];
        string text = Tokenizer.Decode(ids.Length > 0 && ends.Contains(ids[^1]) ? ids.AsSpan(0, ids.Length - 1) : ids);
        return options.TruncateBeforePattern is { Count: > 0 } patterns ? CodeGenTokenizer.Truncate(text, patterns) : text;
    }
}
