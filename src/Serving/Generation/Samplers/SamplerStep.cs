namespace ManagedTransformers.Serving;

/// <summary>A step in choosing tokens, or a reason to end a text, as data: another process makes the same of it.</summary>
/// <param name="Name">Which one, such as <c>top_k</c>.</param>
/// <param name="Values">Its numbers.</param>
/// <param name="Tokens">The tokens that it is about.</param>
internal sealed record SamplerStep(string Name, double[] Values, int[] Tokens)
{
    /// <summary>A step with numbers alone.</summary>
    public static SamplerStep Of(string name, params double[] values) => new(name, values, []);

    /// <summary>The same for a text that has run for some time elsewhere.</summary>
    public SamplerStep After(TimeSpan time) => Name == "line_time" ? this with { Values = [Math.Max(0, Values[0] - time.TotalMilliseconds)] } : this;

    /// <summary>What changes the scores.</summary>
    /// <exception cref="ModelInputException">This version has no such step.</exception>
    public LogitsProcessor Processor(TextGenerator generator) => Name switch
    {
        "penalties" => new WindowPenalties((int)Values[0], Values[1], Values[2], Values[3]),
        "top_k" => new TopKLogitsWarper((int)Values[0], (int)Values[1]),
        "typ_p" => new TypicalLogitsWarper(Values[0], (int)Values[1], generator.CausalLM.LoadOptions.Kernels),
        "top_p" => new TopPLogitsWarper(Values[0], (int)Values[1], generator.CausalLM.LoadOptions.Kernels),
        "min_p" => new MinPLogitsWarper(Values[0], (int)Values[1], generator.CausalLM.LoadOptions.Kernels),
        "temperature" => new TemperatureLogitsWarper(Values[0]),
        "only_best" => new OnlyBest(),
        "infill" => new InfillSampler(Tokens, generator.Tokenizer),
        "frequency" => new FrequencyPenalty((int)Values[0], Values[1], Values[2]),
        _ => throw Unknown(),
    };

    /// <summary>What ends a text.</summary>
    /// <inheritdoc cref="Processor" path="/exception"/>
    public StoppingCriterion Criterion(TextGenerator generator) => Name switch
    {
        "indent" => new IndentCriterion((int)Values[0]),
        "line_time" => new LineTimeCriterion(generator.Tokenizer, TimeSpan.FromMilliseconds(Values[0])),
        "stop_tokens" => new StopTokenCriterion(Tokens, (int)Values[0]),
        _ => throw Unknown(),
    };

    private ModelInputException Unknown() =>
        new($"The request has the sampler \"{Name}\", which this version does not have. Give caller and silos the same version.");
}

/// <summary>A processor that is known as data.</summary>
internal sealed class PortableProcessor(SamplerStep step, TextGenerator generator) : LogitsProcessor
{
    private readonly LogitsProcessor _made = step.Processor(generator);

    public SamplerStep Step => step;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => _made.Process(inputIds, scores);
}

/// <summary>A reason to end a text that is known as data.</summary>
internal sealed class PortableCriterion(SamplerStep step, TextGenerator generator) : StoppingCriterion
{
    private readonly StoppingCriterion _made = step.Criterion(generator);

    public SamplerStep Step => step;

    public override bool IsMet(GenerationState state) => _made.IsMet(state);
}
