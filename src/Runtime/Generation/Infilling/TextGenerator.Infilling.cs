namespace ManagedTransformers;

public sealed partial class TextGenerator
{
    private InfillFormat? _infillFormat;

    /// <summary>Writes what stands between two texts.</summary>
    /// <param name="prefix">What stands before the gap.</param>
    /// <param name="suffix">What stands after it.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The text of the gap.</returns>
    /// <exception cref="ConfigException">The tokenizer has no tokens of infilling.</exception>
    /// <exception cref="ModelInputException">The texts leave no room in n_positions, or the options contradict each other.</exception>
    public string Infill(string prefix, string suffix, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        InfillSequences(new InfillRequest(prefix, suffix), options, cancellationToken).Sequences[0].Text;

    /// <summary>Writes what stands between several texts, one gap after the other; each answer is known to the gaps after it.</summary>
    /// <param name="parts">The texts around the gaps, at least two: one more than there are gaps.</param>
    /// <param name="options">Limits (for each gap), end tokens, where to cut.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The text of each gap.</returns>
    /// <exception cref="ArgumentException">There are fewer than two texts.</exception>
    /// <exception cref="ConfigException">The tokenizer has no tokens of infilling, or not one for each gap: only CodeGen2 can tell several apart.</exception>
    /// <exception cref="ModelInputException">The texts leave no room in n_positions, or the options contradict each other.</exception>
    public IReadOnlyList<string> Infill(IReadOnlyList<string> parts, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        [.. InfillSequences(new InfillRequest(parts), options, cancellationToken).Sequences.DistinctBy(one => one.PromptIndex).Select(one => one.Text)];

    /// <summary>Fills the gaps of a file that has a name, in a repository with further files.</summary>
    /// <param name="request">The texts around the gaps, and what else is known.</param>
    /// <param name="options">Everything that generate() takes; limits are for each gap. With <see cref="GenerationOptions.TruncatePrompt"/> a prompt that
    /// leaves no room loses files, then the beginning of the prefix, then the end of the suffix; the usage says how much.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The texts; <see cref="GeneratedSequence.PromptIndex"/> is the gap.</returns>
    /// <remarks>The tokenizer's tokens say how the model is asked: those of CodeGen2, Qwen2.5-Coder, StarCoder2, StarCoder, SantaCoder, DeepSeek-Coder or
    /// CodeLlama; where it has several, those of the model's family. They end a text, too.</remarks>
    /// <exception cref="ConfigException">The tokenizer has no tokens of infilling, not one for each gap, or those of several kinds of which the family names
    /// none.</exception>
    /// <exception cref="ModelInputException">The prompt leaves no room in n_positions, the model has no token for what the request names, or the options
    /// contradict each other.</exception>
    public GenerationOutput InfillSequences(InfillRequest request, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        FillGaps(request, options, session: null, (prompt, infilling) => GenerationRun.Run(Plan([prompt], infilling), progress: null, cancellationToken));

    /// <summary>Fills a gap piece by piece; all pieces together are the text that <see cref="InfillSequences"/> gives.</summary>
    /// <returns>The pieces; the last one says why the text ended and what it took.</returns>
    /// <remarks>As <see cref="StreamAsync(string, GenerationOptions?, CancellationToken)"/>.</remarks>
    /// <exception cref="OperationCanceledException">While enumerating: the token was cancelled. It takes effect within one token.</exception>
    /// <inheritdoc cref="InfillSequences"/>
    public IAsyncEnumerable<TextPiece> StreamInfillAsync(
        InfillRequest request, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        (SearchPrompt prompt, options) = Gap(request, options);
        return StreamAsync([prompt], options, cancellationToken);
    }

    /// <summary>The prompt of the one gap, and the options with its end tokens.</summary>
    /// <exception cref="ModelInputException">There are several gaps.</exception>
    internal (SearchPrompt Prompt, GenerationOptions Options) Gap(InfillRequest request, GenerationOptions? options, Session? session = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Gaps == 1
            ? FirstGap(request, options ?? GenerationOptions.Default, session)
            : throw new ModelInputException($"There are {request.Gaps} gaps; one can be streamed. Fill one at a time, or without streaming.");
    }

    /// <summary>Fills one gap after the other.</summary>
    /// <param name="request">The texts around them.</param>
    /// <param name="options">What the caller asks for.</param>
    /// <param name="session">What reads the prompts, where it holds less than the model reads; null: nothing does.</param>
    /// <param name="generate">Continues a prompt.</param>
    internal GenerationOutput FillGaps(
        InfillRequest request, GenerationOptions? options, Session? session, Func<SearchPrompt, GenerationOptions, GenerationOutput> generate)
    {
        ArgumentNullException.ThrowIfNull(request);
        (SearchPrompt prompt, options) = FirstGap(request, options ?? GenerationOptions.Default, session);
        GenerationOutput output = generate(prompt, options);
        if (request.Gaps == 1)
            return output;
        var sequences = new List<GeneratedSequence>(output.Sequences);
        var usage = new GenerationUsage();
        usage.Add(output.Usage);
        for (int gap = 1; gap < request.Gaps; gap++)
        {
            int[] ids = _infillFormat!.Next(prompt.Tokens, output.Sequences[0].Text, gap);
            prompt = SearchPrompt.Of(gap, ids, PromptTokens(options, session));
            output = generate(prompt, options);
            sequences.AddRange(output.Sequences);
            usage.Add(output.Usage);
        }
        return new GenerationOutput(sequences, usage);
    }

    private (SearchPrompt Prompt, GenerationOptions Options) FirstGap(InfillRequest request, GenerationOptions options, Session? session)
    {
        InfillFormat format = _infillFormat ??= new InfillFormat(Tokenizer, Model.Config.ModelType);
        InfillPrompt prompt = format.Prompt(request, PromptTokens(options, session));
        IReadOnlyList<int> ends = options.EosTokenId ?? Defaults.EosTokenId ?? [];
        return (
            new SearchPrompt(0, prompt.TokenIds) { DroppedFiles = prompt.DroppedFiles, DroppedTokens = prompt.DroppedTokens },
            options with { EosTokenId = [.. ends.Union(format.EosTokenId)] });
    }
}
