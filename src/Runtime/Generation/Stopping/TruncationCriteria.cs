using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>Ends a text once it is certain where a recipe cuts it, so that nothing is generated that would be cut off.</summary>
/// <remarks>The text itself is not cut: that is <see cref="TruncationRecipe.Apply"/>, which gives the same of this text as of one that went on.</remarks>
/// <example><code>
/// var ends = new TruncationCriteria(TruncationRecipe.HumanEval, generator.Tokenizer);
/// string body = TruncationRecipe.HumanEval.Apply(generator.Generate(prompt, new GenerationOptions { StoppingCriteria = [ends] }), prompt);
/// </code></example>
public sealed class TruncationCriteria : StoppingCriterion
{
    private readonly TruncationRecipe _recipe;
    private readonly Tokenizer _tokenizer;

    /// <summary>A criterion for texts of any prompts.</summary>
    /// <param name="recipe">Where texts are cut.</param>
    /// <param name="tokenizer">The generator's; it decodes the prompt for a recipe that looks at it (<see cref="TruncationRecipe.Dedent"/>).</param>
    public TruncationCriteria(TruncationRecipe recipe, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(tokenizer);
        (_recipe, _tokenizer) = (recipe, tokenizer);
    }

    /// <inheritdoc/>
    public override bool IsMet(GenerationState state)
    {
        // A criterion keeps nothing between calls and serves all rows: the prompt is decoded where it is needed.
        string prompt = _recipe.LooksAtPrompt ? _tokenizer.Decode(state.InputIds[..state.PromptLength]) : "";
        return _recipe.Find(prompt, state.Text.ToString(), complete: false).IsCertain;
    }
}
