namespace ManagedTransformers;

/// <summary>Ends a text once it is certain where a recipe cuts it, so that nothing is generated that would be cut off.</summary>
/// <remarks>The text itself is not cut: that is <see cref="TruncationRecipe.Apply"/>, which gives the same of this text as of one that went on.</remarks>
/// <param name="recipe">Where texts are cut.</param>
/// <param name="tokenizer">Decodes the prompt for a recipe that looks at it (<see cref="TruncationRecipe.Dedent"/>).</param>
internal sealed class TruncationCriteria(TruncationRecipe recipe, Tokenizer tokenizer) : StoppingCriterion
{
    // A criterion keeps nothing between calls and serves all rows: the prompt is decoded where it is needed.
    public override bool IsMet(GenerationState state) =>
        recipe.Find(CompletedText.PromptFor(recipe, state.InputIds[..state.PromptLength], tokenizer), state.Text.ToString(), complete: false).IsCertain;
}
