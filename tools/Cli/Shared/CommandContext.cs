using System.CommandLine;
using System.Text.Json.Serialization.Metadata;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>One run of a command: its arguments, the model to use, and where results go.</summary>
internal sealed class CommandContext(ParseResult parsed, CliConsole console, CommonOptions common)
{
    private bool _inputRead;

    /// <summary>Where to write.</summary>
    public CliConsole Console => console;

    /// <summary>Whether results are JSON.</summary>
    public bool Json => parsed.GetValue(common.Json);

    /// <summary>What --model says.</summary>
    public string? ModelOption => parsed.GetValue(common.Model);

    /// <summary>What --revision says.</summary>
    public string? RevisionOption => parsed.GetValue(common.Revision);

    /// <summary>Whether what is only warned of is an error.</summary>
    public bool Strict => parsed.GetValue(common.Strict);

    /// <summary>The value of an option.</summary>
    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    /// <summary>Whether an option is on the command line, with a value or without.</summary>
    public bool Has(Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The name of an option on the command line that says how this machine computes; null: there is none.</summary>
    public string? OptionOfThisMachine =>
        ((Option[])[common.Revision, common.Threads, common.Kernels, common.Weights, common.QuantizeHead, common.NoMap]).FirstOrDefault(Has)?.Name;

    /// <summary>The value of an argument.</summary>
    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);

    /// <summary>The checkpoint directory: --model, else the demo model.</summary>
    /// <param name="demo">The demo model of this command; null where none fits.</param>
    public string ModelDirectory(string? demo)
    {
        if (ModelOption is string given)
            return ModelLocator.Resolve(given, RevisionOption);
        if (RevisionOption is string revision)
            throw new UsageException($"--revision {revision} needs --model org/name.");
        return ModelLocator.Demo(demo ?? throw new UsageException("No demo model can do this. Name a checkpoint directory with --model DIR."));
    }

    /// <summary>Kernel level, threads, format of the weights and strictness, as the options say; warnings go to standard error.</summary>
    /// <param name="configured">What counts where an option is not given; null: the defaults.</param>
    public LoadOptions LoadOptions(LoadOptions? configured = null)
    {
        try
        {
            // Read in any case: a bad MTX_KERNELS is an error also where --kernels is given.
            KernelLevel level = configured?.Kernels.Level ?? KernelDispatch.Level;
            if (parsed.GetValue(common.Kernels) is string name)
                level = Enum.Parse<KernelLevel>(name, ignoreCase: true);
            int threads = parsed.GetValue(common.Threads) ?? configured?.Kernels.MaxThreads ?? Environment.ProcessorCount;
            return (configured ?? new LoadOptions()) with
            {
                Kernels = new KernelOptions { Level = level, MaxThreads = threads },
                WeightFormat = parsed.GetValue(common.Weights) is null && configured is not null
                    ? configured.WeightFormat : CommonOptions.WeightFormatOf(parsed.GetValue(common.Weights)),
                QuantizeHead = parsed.GetValue(common.QuantizeHead) || configured?.QuantizeHead == true,
                MapWeights = !parsed.GetValue(common.NoMap) && configured?.MapWeights != false,
                Strict = parsed.GetValue(common.Strict) || configured?.Strict == true,
                OnWarning = console.Warn,
            };
        }
        catch (Exception e) when (e is PlatformNotSupportedException or InvalidOperationException)
        {
            // A level that this processor lacks, or a bad MTX_KERNELS: a matter of the command line, not of the model.
            throw new UsageException(e.Message);
        }
    }

    /// <summary>The same for a pipeline.</summary>
    public PipelineOptions PipelineOptions()
    {
        // First: the defaults of PipelineOptions need a level too, and would fail less readably.
        LoadOptions load = LoadOptions();
        return new PipelineOptions { Load = load };
    }

    /// <summary>A text, or standard input where it is '-', without one line break at its end (the one that echo adds).</summary>
    public string Text(string value)
    {
        if (value != "-")
            return value;
        if (_inputRead)
            throw new UsageException("'-' stands for standard input and can be used once only.");
        _inputRead = true;
        string text = Utf8Input.Require(console.In.ReadToEnd(), "Standard input");
        return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
    }

    /// <summary>Writes the result as JSON where that is asked for.</summary>
    /// <returns>Whether it did.</returns>
    public bool WriteJson<T>(T value, JsonTypeInfo<T> type)
    {
        if (Json)
            CliJson.Write(console, value, type);
        return Json;
    }
}
