using System.CommandLine;
using System.Globalization;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx verify: forward passes compared with reference outputs.</summary>
internal sealed class VerifyCommand : MtxCommand
{
    private readonly Argument<string[]> _cases = new("CASE_DIR")
    {
        Arity = ArgumentArity.OneOrMore,
        Description = "A folder with config.json, weights and expected.safetensors, or a folder above such folders. "
            + "With --model, that checkpoint runs instead of the folder's own.",
    };
    private readonly Option<double> _tolerance = ToleranceOption.Create();

    public VerifyCommand(CliConsole console)
        : base("verify", "Compare forward passes with reference outputs, tensor by tensor", console)
    {
        Add(_cases);
        Add(_tolerance);
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string? model = context.ModelOption is string given ? ModelLocator.Resolve(given, context.RevisionOption) : null;
        LoadOptions options = context.LoadOptions();
        double tolerance = context.Get(_tolerance);
        string[] directories = [.. context.Get(_cases)!.SelectMany(folder => CasesUnder(folder, needsModel: model is null)).Distinct(StringComparer.Ordinal)];
        var verified = new List<VerifyCase>();
        int exitCode = ExitCodes.Ok;
        foreach (string directory in directories)
        {
            cancellationToken.ThrowIfCancellationRequested();
            context.Console.ShowProgress($"case {verified.Count + 1} of {directories.Length}: {directory}");
            (VerifyCase result, int code) = Verify(directory, model, options, tolerance, cancellationToken);
            context.Console.ShowProgress("");
            exitCode = Math.Max(exitCode, code);
            verified.Add(result);
            if (!context.Json)
                ShowCase(context.Console, result);
        }
        var all = new VerifyResult(exitCode == ExitCodes.Ok, options.Kernels.Level.ToString(), tolerance, [.. verified]);
        if (!context.WriteJson(all, CliJsonContext.Relaxed.VerifyResult))
            context.Console.Out.WriteLine($"{verified.Count(c => c.Passed)} of {verified.Count} cases pass "
                + $"(kernels {all.Kernels}, tolerance {tolerance.ToString("G3", CultureInfo.InvariantCulture)})");
        return Task.FromResult(exitCode);
    }

    /// <summary>The folder itself where it is a case, else every case below it, by name.</summary>
    private static string[] CasesUnder(string directory, bool needsModel)
    {
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException(
                $"There is no directory {directory}. A case is a folder with config.json, weights and {ReferenceCase.ExpectedFileName}.");
        if (IsCase(directory, needsModel))
            return [directory];
        string[] below = [.. Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories).Where(folder => IsCase(folder, needsModel))
            .Order(StringComparer.Ordinal)];
        return below.Length > 0 ? below : throw new FileNotFoundException(
            $"Neither {directory} nor a folder below it holds config.json and {ReferenceCase.ExpectedFileName}. A case has both, and weights.");
    }

    private static bool IsCase(string directory, bool needsModel) =>
        File.Exists(Path.Combine(directory, ReferenceCase.ExpectedFileName)) && (!needsModel || File.Exists(Path.Combine(directory, "config.json")));

    /// <summary>One case that cannot run does not keep the others from running.</summary>
    private static (VerifyCase Result, int ExitCode) Verify(string directory, string? model, LoadOptions options, double tolerance,
        CancellationToken cancellationToken)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));
        try
        {
            CaseReport report = model is null ? ReferenceCase.Verify(directory, options, tolerance, cancellationToken)
                : VerifyOther(model, directory, options, tolerance);
            VerifyTensor[] tensors =
                [.. report.Rows.Select(row => new VerifyTensor(row.Name, row.Shape, row.MaxAbsolute, row.MaxRelative, row.Passed, row.Note))];
            return (new VerifyCase(name, directory, report.Architecture, report.Passed, tensors, Error: null),
                report.Passed ? ExitCodes.Ok : ExitCodes.Negative);
        }
        catch (Exception e) when (ExitCodes.Of(e) == ExitCodes.BadInput)
        {
            return (new VerifyCase(name, directory, Architecture: null, Passed: false, [], new ErrorBody(e.GetType().Name, e.Message)), ExitCodes.BadInput);
        }
    }

    /// <summary>Another checkpoint, on the inputs and against the outputs of a case.</summary>
    private static CaseReport VerifyOther(string modelDirectory, string directory, LoadOptions options, double tolerance)
    {
        using PretrainedModel model = PretrainedModels.Load(modelDirectory, options);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, ReferenceCase.ExpectedFileName));
        return new CaseReport(directory, model.Architecture, ReferenceCase.Compare(model, file.Weights, tolerance));
    }

    private static void ShowCase(CliConsole console, VerifyCase result)
    {
        console.Styled.Write(Show.Cell($"{result.Name}", Color.Aqua));
        console.Out.WriteLine(result.Architecture is string architecture ? $" ({Show.Visible(architecture)})" : "");
        if (result.Error is ErrorBody error)
        {
            console.Error.WriteLine($"mtx: {Show.Printable(error.Message)}");
            console.Styled.Write(Show.Cell("cannot run", Color.Red));
            console.Out.WriteLine("\n");
            return;
        }
        Table table = Show.Table(console, "tensor", "shape", ">largest absolute error", ">relative", "");
        foreach (VerifyTensor tensor in result.Tensors)
        {
            string verdict = tensor.Passed ? "ok" : tensor.Note is string note ? $"FAIL: {note}" : "FAIL";
            table.AddRow(Show.Cell(tensor.Name), Show.Cell(tensor.Shape), Show.Number(tensor.MaxAbsolute, "0.00E+00"),
                Show.Number(tensor.MaxRelative, "0.00E+00"),
                Show.Cell(verdict, tensor.Passed ? Color.Green : Color.Red));
        }
        Show.Write(console, table);
        console.Out.WriteLine();
    }
}

/// <summary>All cases.</summary>
internal sealed record VerifyResult(bool Passed, string Kernels, double Tolerance, VerifyCase[] Cases);

/// <summary>One case: its tensors, or why it could not run.</summary>
internal sealed record VerifyCase(string Name, string Directory, string? Architecture, bool Passed, VerifyTensor[] Tensors, ErrorBody? Error);

/// <summary>How far one tensor is from its reference; relative to its largest magnitude.</summary>
internal sealed record VerifyTensor(string Name, string Shape, double MaxAbsolute, double MaxRelative, bool Passed, string? Note);
