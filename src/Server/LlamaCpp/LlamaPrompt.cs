namespace ManagedTransformers.Server;

/// <summary>One prompt of a request.</summary>
/// <param name="Request">What the engine gets.</param>
/// <param name="IsCut">Whether there is less room than was asked for.</param>
internal sealed record LlamaPrompt(GenerationRequest Request, bool IsCut)
{
    public static LlamaPrompt Of(LlamaRequest asked, IGenerationEngine engine, int[] ids) =>
        Of(asked, engine, new GenerationRequest(ids) { Options = asked.Over(GenerationOptions.Default, engine.Generator) });

    /// <summary>The prompt that asks for a gap. What there is no room for is left out: files, the first ones first, then the beginning of the prefix, then the
    /// end of the suffix. At least half of the context is for the prompt.</summary>
    public static LlamaPrompt Of(LlamaRequest asked, IGenerationEngine engine, InfillRequest gap)
    {
        int context = ContextOf(engine), wanted = asked.Predict < 0 ? context / 4 : Math.Clamp(asked.Predict, 1, Math.Max(1, context / 2));
        GenerationRequest request = engine.Infill(gap, new GenerationOptions { TruncatePrompt = true, MaxNewTokens = wanted });
        return Of(asked, engine, request with { Options = asked.Over(new GenerationOptions { EosTokenId = request.Options.EosTokenId }, engine.Generator) });
    }

    /// <summary>The most tokens that the model reads.</summary>
    public static int ContextOf(IGenerationEngine engine) => engine.Generator.CausalLM.Config.MaxTokens;

    private static LlamaPrompt Of(LlamaRequest asked, IGenerationEngine engine, GenerationRequest request)
    {
        int length = request.PromptIds.Count, context = ContextOf(engine), room = context - length;
        if (room < 1)
        {
            throw new ApiException(Problem.TooLong,
                $"request ({length} tokens) exceeds the available context size ({context} tokens), try increasing it")
            {
                Field = "prompt", Tokens = (length, context),
            };
        }
        int most = asked.Predict < 0 ? room : Math.Min(asked.Predict, room);
        request = request with { PromptOnly = most == 0, CachePrompt = asked.CachePrompt, SkipSpecialTokens = true };
        if (most > 0)
            request = request with { Options = request.Options with { MaxNewTokens = most } };
        return new LlamaPrompt(request, asked.Predict < 0 || asked.Predict > room);
    }
}
