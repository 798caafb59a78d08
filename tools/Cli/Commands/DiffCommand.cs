using System.CommandLine;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>mtx diff: two files of activations, or a model and a file, and what differs first.</summary>
internal sealed class DiffCommand : MtxCommand
{
    private readonly Argument<string> _ours =
        new("OURS") { Description = "A file of activations (mtx trace), or a model, which then runs the token ids of THEIRS." };
    private readonly Argument<string> _theirs = new("THEIRS") { Description = "The reference: a file of activations (tools/reference/dump.py, mtx trace)." };
    private readonly Option<double> _tolerance = ToleranceOption.Create();

    public DiffCommand(CliConsole console)
        : base("diff", "Find the first activation that differs from another run's", console)
    {
        Options.Remove(Common.Model);
        Add(_ours);
        Add(_theirs);
        Add(_tolerance);
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string oursName = context.Get(_ours)!, theirsName = context.Get(_theirs)!;
        if (Directory.Exists(theirsName))
            throw new FileNotFoundException($"{theirsName} is a directory. THEIRS is a safetensors file of activations, which "
                + "mtx trace or tools/reference/dump.py writes; only OURS may be a model.");
        double tolerance = context.Get(_tolerance);
        using ActivationSet theirs = ActivationSet.Open(theirsName);
        using ActivationSet ours = OpenOurs(oursName, theirs, context);
        cancellationToken.ThrowIfCancellationRequested();
        ActivationComparison found = ActivationComparison.Compare(ours, theirs, tolerance);

        VerifyTensor[] tensors =
            [.. found.Tensors.Select(row => new VerifyTensor(row.Name, row.Shape, row.MaxAbsolute, row.MaxRelative, row.Passed, row.Note))];
        var result = new DiffResult(found.Same, tolerance, oursName, theirsName, tensors, DiffFirst.Of(found, theirs), [.. found.OnlyInOurs],
            [.. found.OnlyInTheirs]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.DiffResult))
            DiffView.Write(context.Console, result);
        return Task.FromResult(found.Same ? ExitCodes.Ok : ExitCodes.Negative);
    }

    private static ActivationSet OpenOurs(string name, ActivationSet theirs, CommandContext context)
    {
        if (File.Exists(name))
            return ActivationSet.Open(name);
        if (name.EndsWith(".safetensors", StringComparison.Ordinal) && !Directory.Exists(name))
            throw new FileNotFoundException($"There is no file {name}. OURS is a file of activations (mtx trace), or a model's directory.");
        using PretrainedModel model = PretrainedModels.Load(ModelLocator.Resolve(name, context.RevisionOption), context.LoadOptions());
        return ActivationSet.Run(model, theirs);
    }
}

/// <summary>The comparison: a row for each activation that both have, in execution order, and the first one that differs.</summary>
internal sealed record DiffResult(
    bool Same, double Tolerance, string Ours, string Theirs, VerifyTensor[] Tensors, DiffFirst? First, string[] OnlyInOurs, string[] OnlyInTheirs);

/// <summary>The first activation that differs. The places are null where the shapes differ.</summary>
internal sealed record DiffFirst(string Name, int? Layer, int Beyond, long Elements, DiffPlace? Largest, DiffPlace? FirstBeyond)
{
    public static DiffFirst? Of(ActivationComparison found, ActivationSet theirs)
    {
        if (found.First is not TensorError error)
            return null;
        FloatTensor tensor = theirs[error.Name];
        DiffPlace? Place(TensorPlace? place) =>
            place is null ? null : DiffPlace.Of(place, found.Locate(error.Name, place.Index, tensor.Rank == 0 ? 1 : tensor.Shape[^1]));
        return new DiffFirst(error.Name, found.Locate(error.Name, [], 1).Layer, error.Beyond, tensor.Length, Place(error.Largest), Place(error.First));
    }
}

/// <summary>An element: its index, what it is by name (null where the activation has no such axis), and both values.</summary>
internal sealed record DiffPlace(int[] Index, int? Row, int? Token, string? TokenText, int? Head, int? Key, string? KeyText, int? Element,
    float Ours, float Theirs)
{
    public static DiffPlace Of(TensorPlace place, ActivationPlace meaning) => new(
        [.. place.Index], meaning.Row, meaning.Token, meaning.TokenText, meaning.Head, meaning.Key, meaning.KeyText, meaning.Element,
        place.Found, place.Expected);
}
