using System.CommandLine;

namespace ManagedTransformers.Cli;

/// <summary>--truncate of generate, sample and synthesize: a recipe by its name.</summary>
internal static class TruncationOption
{
    private static readonly Dictionary<string, TruncationRecipe> Recipes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["human-eval"] = TruncationRecipe.HumanEval,
        ["codegen"] = TruncationRecipe.CodeGen,
        ["dedent"] = TruncationRecipe.Dedent,
        ["end-of-mask"] = TruncationRecipe.EndOfMask,
        ["none"] = TruncationRecipe.None,
    };

    /// <summary>The option.</summary>
    /// <param name="usual">What holds where it is not given, for people.</param>
    public static Option<string?> Create(string usual) => CommonOptions.Choice("--truncate", $"Where a completion ends. Default: {usual}.", [.. Recipes.Keys]);

    /// <summary>What was chosen; null where nothing was.</summary>
    public static TruncationRecipe? Of(string? name) => name is null ? null : Recipes[name];

    /// <summary>Options with which a text ends once it is certain where the recipe cuts it.</summary>
    public static GenerationOptions EndingAt(GenerationOptions options, TruncationRecipe recipe, TextGenerator generator) =>
        // Patterns cut the whole text, whose end they may look at.
        options.Over(generator.Defaults).TruncateBeforePattern is { Count: > 0 }
            ? options
            : options with { StoppingCriteria = [new TruncationCriteria(recipe, generator.Tokenizer)] };
}
