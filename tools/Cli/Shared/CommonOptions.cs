using System.CommandLine;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>The options of every command.</summary>
internal sealed class CommonOptions
{
    /// <summary>The words of --weights, in the order of <see cref="WeightFormat"/>.</summary>
    private static readonly string[] WeightWords = ["as-stored", "int8", "int4"];

    public CommonOptions() => Kernels.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, Enum.GetNames<KernelLevel>());

    /// <summary>The checkpoint.</summary>
    public Option<string?> Model { get; } = new("--model", "-m")
    {
        HelpName = "DIR",
        Description = "Checkpoint directory, org/name[@revision] in the hub's cache (see mtx pull), or the name of a demo model. "
            + "Default: the demo model that fits the command.",
    };

    /// <summary>Which version of a model in the hub's cache.</summary>
    public Option<string?> Revision { get; } =
        new("--revision") { HelpName = "REV", Description = "Branch, tag or commit of a model in the hub's cache. Default: main." };

    /// <summary>Machines read the output.</summary>
    public Option<bool> Json { get; } = Flag("--json", "Write one JSON value (see docs/cli.md).");

    /// <summary>Bound of the worker pool.</summary>
    public Option<int?> Threads { get; } = Bounded("--threads", "N", "Most threads to compute with. Default: all processors.", 1);

    /// <summary>Instruction set.</summary>
    public Option<string?> Kernels { get; } = new("--kernels")
    {
        HelpName = "LEVEL",
        Description = "Kernel level: Reference, Portable, Vector128, Avx2 or Avx512. Default: MTX_KERNELS, else the best of this processor.",
    };

    /// <summary>Format of the weights of linear layers.</summary>
    public Option<string?> Weights { get; } = Choice("--weights",
        "Hold the weights of linear layers as they are stored, or as integers of 8 or 4 bits with a scale per 32. Default: as-stored.", WeightWords);

    /// <summary>That format for the head too.</summary>
    public Option<bool> QuantizeHead { get; } = Flag("--quantize-head", "With --weights int8 or int4: the head over the vocabulary (lm_head) as well.");

    /// <summary>Weights are read, not mapped.</summary>
    public Option<bool> NoMap { get; } =
        Flag("--no-map", "Read the weight files into memory instead of mapping them: what happens to the files afterwards changes nothing.");

    /// <summary>Odd checkpoints are refused.</summary>
    public Option<bool> Strict { get; } =
        Flag("--strict", "Refuse a checkpoint with tensors that its model does not know, and whatever else is warned of, instead of running it.");

    /// <summary>All of them.</summary>
    public IEnumerable<Option> All => [Model, Revision, Json, Threads, Kernels, Weights, QuantizeHead, NoMap, Strict];

    /// <summary>Those that say how weights are held, for commands that hold none.</summary>
    public IEnumerable<Option> OfWeights => [Weights, QuantizeHead, NoMap];

    /// <summary>Those that say how a model is loaded, for commands that load none.</summary>
    public IEnumerable<Option> OfLoading => [.. OfWeights, Strict];

    /// <summary>The format that a word of --weights names; null is the default.</summary>
    public static WeightFormat WeightFormatOf(string? word) =>
        word is null ? WeightFormat.AsStored : (WeightFormat)Array.FindIndex(WeightWords, one => one.Equals(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>The word of --weights for a format.</summary>
    public static string WordOf(WeightFormat format) => WeightWords[(int)format];

    /// <summary>A switch. It never takes the next word as its value, not even "true".</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Arity = ArgumentArity.Zero, Description = description };

    /// <summary>Cuts a text that is too long.</summary>
    public static Option<bool> Truncate() => Flag("--truncate", "Cut a text that is too long at its end, instead of refusing it.");

    /// <summary>A number with a lower bound; null where it is not given.</summary>
    public static Option<int?> Bounded(string name, string helpName, string description, int least)
    {
        var option = new Option<int?>(name) { HelpName = helpName, Description = description };
        option.Validators.Add(result =>
        {
            // A text that is no number is already an error of the parser.
            if (result.Tokens is [{ Value: string text }] && int.TryParse(text, out int value) && value < least)
                result.AddError($"{name} is {value}; at least {least} is needed.");
        });
        return option;
    }

    /// <summary>A text, or '-' for standard input.</summary>
    public static Argument<string> Text(string name, string description) => new(name) { Description = $"{description}; '-' reads it from standard input." };

    /// <summary>The same where something else may stand in its place.</summary>
    public static Argument<string?> OptionalText(string name, string description) =>
        new(name) { Arity = ArgumentArity.ZeroOrOne, Description = $"{description}; '-' reads it from standard input." };

    /// <summary>A choice of words, in any case.</summary>
    public static Option<string?> Choice(string name, string description, params string[] words)
    {
        var option = new Option<string?>(name) { HelpName = string.Join('|', words), Description = description };
        option.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, words);
        return option;
    }
}
