using System.Runtime.CompilerServices;

namespace ManagedTransformers;


/// <summary>Continues texts and fills gaps with a causal language model.</summary>
/// <remarks>transformers' generate(), TextGenerationPipeline and TextIteratorStreamer. Each call has its own KV cache, and many may run at once; a
/// <see cref="GenerationSession"/> keeps its cache from call to call.</remarks>
/// <example><code>
/// using var generator = TextGenerator.Load("models/demo-codegen");
/// await foreach (var piece in generator.StreamAsync("def hello_world():", new GenerationOptions { MaxNewTokens = 64 }))
///     Console.Write(piece.Text);
/// </code></example>
public sealed partial class TextGenerator : Pipeline
{
    private static readonly EncodeOptions Whole = new() { Truncation = Truncation.None, Padding = Padding.None };
    private readonly GenerationDefaults _defaults;
    private TextGenerator? _checkedAssistant;

    private TextGenerator(
        PretrainedModel model, Tokenizer tokenizer, ReadOnlyMemory<byte>? generationConfig, bool ownsModel) : base(model, tokenizer, ownsModel)
    {
        CausalLM = model.Require<ICausalLM>("does not generate text");
        _defaults = GenerationDefaults.Of(generationConfig, model.Config, tokenizer);
    }

    /// <summary>The checkpoint's own settings, which hold where a call's options are null: generation_config.json, without one the options that stand in
    /// config.json; and the end token.</summary>
    public GenerationOptions Defaults => _defaults.Options;

    /// <summary>What is odd about the checkpoint, for people to read, such as an end token in config.json that is not the tokenizer's. Empty where all is
    /// well.</summary>
    public IReadOnlyList<string> Warnings => _defaults.Warnings;

    /// <summary>The model.</summary>
    public ICausalLM CausalLM { get; }

    /// <summary>Opens a checkpoint directory.</summary>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public static TextGenerator Load(string directory, PipelineOptions? options = null) => Open(ModelFiles.In(directory), options);

    /// <inheritdoc cref="FillMaskPipeline.FromFiles"/>
    public static TextGenerator FromFiles(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, PipelineOptions? options = null) => Open(ModelFiles.Of(files), options);

    /// <inheritdoc cref="FillMaskPipeline.Create(PretrainedModel, Tokenizer)"/>
    public static TextGenerator Create(ICausalLM model, Tokenizer tokenizer) =>
        new((PretrainedModel)model, tokenizer, generationConfig: null, ownsModel: false);

    /// <inheritdoc cref="FillMaskPipeline.Create(Pipeline)"/>
    public static TextGenerator Create(Pipeline other) => Share(
        other, (model, tokenizer) => new TextGenerator(model, tokenizer, other.Files?.Find(GenerationDefaults.File), ownsModel: false));

    /// <summary>Continues a text.</summary>
    /// <param name="prompt">The text; empty: generation starts from the beginning-of-text token (<see cref="GenerationOptions.BosTokenId"/>).</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new text, without the prompt and without an end token; the first one where several were asked for.</returns>
    /// <exception cref="ModelInputException">The prompt leaves no room in n_positions, or the options contradict each other.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public string Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GenerationRun.Run(Plan(Prompts([Encode(prompt, options, cancellationToken)], options), options), progress: null, cancellationToken).Sequences[0].Text;

    /// <summary>Continues many texts, in batches without padding; a text that ended leaves its batch.</summary>
    /// <param name="prompts">The texts.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new texts, NumReturnSequences for each prompt.</returns>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    public IReadOnlyList<string> Generate(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        [.. GenerateSequences(prompts, options, progress, cancellationToken).Sequences.Select(one => one.Text)];

    /// <summary>The same with tokens, scores of beams, log probabilities, reasons, and what it took.</summary>
    /// <inheritdoc cref="Generate(IReadOnlyList{string}, GenerationOptions?, IProgress{int}?, CancellationToken)"/>
    public GenerationOutput GenerateSequences(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        int[][] ids = [.. prompts.Select(prompt => Encode(prompt, options, cancellationToken))];
        return GenerationRun.Run(Plan(Prompts(ids, options), options), progress, cancellationToken);
    }

    /// <summary>Continues prompts that are token ids already.</summary>
    /// <param name="prompts">Ids of each prompt, of any lengths, without padding; none empty.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <exception cref="ModelInputException">A prompt is empty or leaves no room, an id is outside the vocabulary, or the options contradict each
    /// other.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public GenerationOutput GenerateSequences(
        IReadOnlyList<int[]> prompts, GenerationOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        GenerationRun.Run(Plan(Prompts(prompts, options), options), progress, cancellationToken);

    /// <summary>Continues a batch as tokenizers lay it out: rows of one length, padded where the mask is 0. Processors see the padding, as in
    /// transformers.</summary>
    /// <param name="inputIds">Ids of each row.</param>
    /// <param name="attentionMask">1 where an id is to be read, 0 where it is left out as if it were not there, wherever it stands; null: all are read.
    /// transformers goes on after padding on the right as if it had been read: pad on the left to compare.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <inheritdoc cref="GenerateSequences(IReadOnlyList{int[]}, GenerationOptions?, IProgress{int}?, CancellationToken)"/>
    public GenerationOutput GenerateBatch(
        IReadOnlyList<int[]> inputIds, IReadOnlyList<int[]>? attentionMask, GenerationOptions? options = null, IProgress<int>? progress = null,
        CancellationToken cancellationToken = default) =>
        GenerationRun.Run(Plan(PaddedPrompts.Of(inputIds, attentionMask, PromptTokens(options)), options), progress, cancellationToken);

    /// <summary>Continues a text piece by piece; all pieces together are what <see cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    /// gives.</summary>
    /// <remarks>The model runs on the thread pool and never ahead of the consumer: who stops asking stops the work. The last piece says why the
    /// text ended and what it took. Beams and several texts at once cannot be streamed.</remarks>
    /// <exception cref="OperationCanceledException">While enumerating: the token was cancelled. It takes effect within one token.</exception>
    /// <inheritdoc cref="Generate(string, GenerationOptions?, CancellationToken)"/>
    public IAsyncEnumerable<TextPiece> StreamAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        StreamAsync(Prompts([Encode(prompt, options, CancellationToken.None)], options), options, cancellationToken);

    /// <summary>A session that keeps its cache: a prompt that begins like what it has read computes only the rest.</summary>
    /// <param name="options">Its greatest length and the type of its keys and values; one sequence. Null: all that the model reads, kept as the
    /// checkpoint says (<see cref="GenerationOptions.KeyValueType"/> of <see cref="Defaults"/>), else as F32.</param>
    /// <exception cref="ModelInputException">The session would be longer than the model reads, or hold several sequences.</exception>
    public GenerationSession CreateSession(SessionOptions? options = null) =>
        new(this, options ?? new SessionOptions { KeyValueType = Defaults.KeyValueType ?? WeightType.F32 });

    /// <summary>The tokens of a prompt as all methods here read it; of an empty one, the token that begins a text.</summary>
    /// <param name="prompt">The text.</param>
    /// <param name="options">Its <see cref="GenerationOptions.BosTokenId"/> begins an empty text.</param>
    /// <param name="cancellationToken">Ends the work between two words.</param>
    /// <exception cref="ModelInputException">It is empty, and no such token is known.</exception>
    public int[] Encode(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] ids = Tokenizer.EncodeToIds(prompt, pair: null, Whole, cancellationToken);
        return ids.Length > 0 ? ids : [options?.BosTokenId ?? Defaults.BosTokenId ?? BeginningOfText
            ?? throw new ModelInputException("The prompt is empty, and neither tokenizer nor config.json names a token that begins a text. Give a prompt.")];
    }

    internal GenerationPlan Plan(
        IReadOnlyList<SearchPrompt> prompts, GenerationOptions? options, Session? session = null, bool skipSpecialTokens = false)
    {
        var plan = new GenerationPlan(CausalLM, prompts, options ?? GenerationOptions.Default, Defaults, Tokenizer, session)
        {
            SkipSpecialTokens = skipSpecialTokens,
        };
        if (plan.Options.AssistantModel is TextGenerator assistant && assistant != _checkedAssistant)
        {
            TokenizerFit.CheckAssistant(assistant, this);
            _checkedAssistant = assistant;
        }
        return plan;
    }

    /// <summary>Prompts, cut at their beginning where the options ask for it.</summary>
    internal SearchPrompt[] Prompts(IReadOnlyList<int[]> ids, GenerationOptions? options, Session? session = null) =>
        SearchPrompt.Of(ids, PromptTokens(options, session));

    private IAsyncEnumerable<TextPiece> StreamAsync(SearchPrompt[] prompts, GenerationOptions? options, CancellationToken cancellationToken)
    {
        GenerationPlan plan = Plan(prompts, options).RequireOneText();
        return StreamAsync(() => new TokenSearch(plan), plan, cancellationToken);
    }

    /// <summary>Runs a search piece by piece, and disposes it. It is made on enumeration, so that a stream that nobody reads holds no memory.</summary>
    internal async IAsyncEnumerable<TextPiece> StreamAsync(
        Func<TokenSearch> begin, GenerationPlan plan, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using TokenSearch search = begin();
        var writer = new PieceWriter(plan, search.Rows[0]);
        while (await Task.Run(() => search.MoveNext(cancellationToken), cancellationToken).ConfigureAwait(false))
        {
            if (writer.Next() is TextPiece piece)
                yield return piece;
        }
        yield return writer.Last(search.Usage);
    }

    private int PromptTokens(GenerationOptions? options, Session? session = null) =>
        new TextRoom(CausalLM.Config, session?.Cache).PromptTokens(options ?? GenerationOptions.Default, Defaults);

    /// <summary>Opens it from a directory or from files in memory.</summary>
    internal static TextGenerator Open(ModelFiles files, PipelineOptions? options) =>
        files.Open(options, files.LoadModel, (model, tokenizer) => new TextGenerator(model, tokenizer, files.Find(GenerationDefaults.File), ownsModel: true));
}

/// <summary>Generation on token ids, for models without a tokenizer: transformers' <c>model.generate</c>.</summary>
public static class CausalLMGeneration
{
    /// <summary>Continues prompts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each prompt, of any lengths, without padding.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="defaults">What the checkpoint says (<see cref="GenerationDefaults.Load"/>); it holds where the options are null. Null: config.json's
    /// eos_token_id alone.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new tokens of each text, its end token included where one came; num_return_sequences texts for each prompt.</returns>
    /// <exception cref="ModelInputException">A prompt is empty or too long, or has an id outside the vocabulary; or the options contradict each
    /// other, or ask for text, which needs a tokenizer.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public static IReadOnlyList<int[]> Generate(
        this ICausalLM model, IReadOnlyList<int[]> prompts, GenerationOptions? options = null, GenerationOptions? defaults = null,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        [.. model.GenerateSequences(prompts, options, defaults, progress, cancellationToken).Sequences.Select(one => (int[])[.. one.TokenIds])];

    /// <summary>The same with scores of beams, log probabilities, reasons, and what it took.</summary>
    /// <inheritdoc cref="Generate(ICausalLM, IReadOnlyList{int[]}, GenerationOptions?, GenerationOptions?, IProgress{int}?, CancellationToken)"/>
    public static GenerationOutput GenerateSequences(
        this ICausalLM model, IReadOnlyList<int[]> prompts, GenerationOptions? options = null, GenerationOptions? defaults = null,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        (options, defaults) = (options ?? GenerationOptions.Default, defaults ?? GenerationOptions.Default);
        SearchPrompt[] all = SearchPrompt.Of(prompts, new TextRoom(model.Config, cache: null).PromptTokens(options, defaults));
        return GenerationRun.Run(new GenerationPlan(model, all, options, defaults), progress, cancellationToken);
    }

    /// <summary>Continues a batch as tokenizers lay it out: rows of one length, padded where the mask is 0. Processors see the padding, as in
    /// transformers.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputIds">Ids of each row.</param>
    /// <param name="attentionMask">1 where an id is to be read, 0 where it is left out as if it were not there, wherever it stands; null: all are read.
    /// transformers goes on after padding on the right as if it had been read: pad on the left to compare.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="defaults">What the checkpoint says; it holds where the options are null. Null: config.json's eos_token_id alone.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <inheritdoc cref="Generate(ICausalLM, IReadOnlyList{int[]}, GenerationOptions?, GenerationOptions?, IProgress{int}?, CancellationToken)"/>
    public static GenerationOutput GenerateBatch(
        this ICausalLM model, IReadOnlyList<int[]> inputIds, IReadOnlyList<int[]>? attentionMask, GenerationOptions? options = null,
        GenerationOptions? defaults = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        (options, defaults) = (options ?? GenerationOptions.Default, defaults ?? GenerationOptions.Default);
        SearchPrompt[] all = PaddedPrompts.Of(inputIds, attentionMask, new TextRoom(model.Config, cache: null).PromptTokens(options, defaults));
        return GenerationRun.Run(new GenerationPlan(model, all, options, defaults), progress, cancellationToken);
    }
}
