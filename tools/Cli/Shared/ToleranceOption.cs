using System.CommandLine;
using System.Globalization;
using ManagedTransformers.Diagnostics;

namespace ManagedTransformers.Cli;

/// <summary>--tolerance: the largest error that passes.</summary>
internal static class ToleranceOption
{
    public static Option<double> Create()
    {
        var option = new Option<double>("--tolerance")
        {
            HelpName = "X",
            DefaultValueFactory = _ => TensorComparison.DefaultTolerance,
            Description = "Largest error that passes, relative to the tensor's largest magnitude.",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && double.TryParse(text, CultureInfo.InvariantCulture, out double value)
                && !(value >= 0 && double.IsFinite(value)))
                result.AddError($"--tolerance is {text}; a finite number of at least 0 is needed.");
        });
        return option;
    }
}
