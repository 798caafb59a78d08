namespace ManagedTransformers.Orleans;

/// <summary>A request on its way to a silo.</summary>
[GenerateSerializer, Immutable]
internal sealed record ClusterRequest
{
    [Id(0)]
    public required string Model { get; init; }

    /// <summary>Of the silo that it was placed on.</summary>
    [Id(1)]
    public required string Fingerprint { get; init; }

    [Id(2)]
    public required int[] PromptIds { get; init; }

    /// <summary>As <see cref="OptionsJson"/> writes them.</summary>
    [Id(3)]
    public required string Options { get; init; }

    [Id(4)]
    public int? BestOf { get; init; }

    [Id(5)]
    public bool PromptOnly { get; init; }

    [Id(6)]
    public int? PromptLogProbabilities { get; init; }

    [Id(7)]
    public bool CachePrompt { get; init; }

    [Id(8)]
    public bool SkipSpecialTokens { get; init; }

    [Id(9)]
    public int[][] Begun { get; init; } = [];

    [Id(10)]
    public int DroppedFiles { get; init; }

    [Id(11)]
    public int DroppedTokens { get; init; }

    /// <summary>Where random numbers start if they are drawn and the options do not say it: another silo must draw the same.</summary>
    [Id(12)]
    public long Seed { get; init; }

    /// <summary>Processors, as data.</summary>
    [Id(13)]
    public string Processors { get; init; } = "[]";

    /// <summary>Reasons to end a text, as data.</summary>
    [Id(14)]
    public string Criteria { get; init; } = "[]";

    /// <param name="request">What is asked for.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="fingerprint">Of the silo that it is placed on.</param>
    /// <param name="seed">Where random numbers start.</param>
    /// <param name="since">Time since the first token came.</param>
    public static ClusterRequest Of(GenerationRequest request, string model, string fingerprint, long seed, TimeSpan since = default) => new()
    {
        Model = model, Fingerprint = fingerprint, PromptIds = [.. request.PromptIds], Options = OptionsJson.Write(request.Options), BestOf = request.BestOf,
        PromptOnly = request.PromptOnly, PromptLogProbabilities = request.PromptLogProbabilities, CachePrompt = request.CachePrompt,
        SkipSpecialTokens = request.SkipSpecialTokens, Begun = [.. request.Begun.Select(text => text.ToArray())],
        DroppedFiles = request.Dropped.Files, DroppedTokens = request.Dropped.Tokens, Seed = seed,
        Processors = Write(request.Options.LogitsProcessors?.Select(one => ((PortableProcessor)one).Step)),
        Criteria = Write(request.Options.StoppingCriteria?.Select(one => ((PortableCriterion)one).Step.After(since))),
    };

    /// <summary>The request as the engine of a model takes it.</summary>
    public GenerationRequest ForEngine(TextGenerator generator)
    {
        GenerationOptions options = OptionsJson.Read(Options);
        SamplerStep[] processors = OptionsJson.ReadAny<SamplerStep[]>(Processors), criteria = OptionsJson.ReadAny<SamplerStep[]>(Criteria);
        if (processors.Length > 0)
            options = options with { LogitsProcessors = [.. processors.Select(step => new PortableProcessor(step, generator))] };
        if (criteria.Length > 0)
            options = options with { StoppingCriteria = [.. criteria.Select(step => new PortableCriterion(step, generator))] };
        if (options.Over(generator.Defaults) is { DoSample: true, Seed: null })
            options = options with { Seed = Seed };
        return new GenerationRequest(PromptIds)
        {
            Options = options, BestOf = BestOf, PromptOnly = PromptOnly, PromptLogProbabilities = PromptLogProbabilities, CachePrompt = CachePrompt,
            SkipSpecialTokens = SkipSpecialTokens, Begun = Begun, Dropped = (DroppedFiles, DroppedTokens),
        };
    }

    private static string Write(IEnumerable<SamplerStep>? steps) => steps is null ? "[]" : OptionsJson.WriteAny<SamplerStep[]>([.. steps]);
}
