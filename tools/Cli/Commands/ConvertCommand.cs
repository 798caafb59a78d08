using System.CommandLine;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>mtx convert: a checkpoint written again as safetensors.</summary>
internal sealed class ConvertCommand : MtxCommand
{
    private readonly Argument<string> _source = new("SRC") { Description = "The checkpoint directory: .bin or .safetensors, one file or shards." };
    private readonly Argument<string> _destination =
        new("DST") { Description = "The directory to write, created where it is missing; SRC itself puts safetensors next to its .bin files." };
    private readonly Option<string?> _type = CommonOptions.Choice("--dtype",
        "Store floats in this type, or the weights of linear layers as integers of 8 or 4 bits with a scale per 32. Default: as they are.", "f32",
        "f16", "bf16", "int8", "int4");
    private readonly Option<bool> _quantizeHead =
        CommonOptions.Flag("--quantize-head", "With --dtype int8 or int4: the head over the vocabulary (lm_head) as well.");
    private readonly Option<string> _shardSize = new("--max-shard-size")
    {
        HelpName = "SIZE", Description = "Most tensor bytes in a file: 500MB, 2GiB, … Default: 5GB.", DefaultValueFactory = _ => "5GB",
    };
    private readonly Option<bool> _force = CommonOptions.Flag("--force", "Replace a checkpoint that is in DST.");

    public ConvertCommand(CliConsole console)
        : base("convert", "Write a checkpoint as safetensors: from PyTorch .bin, in another type, quantized, in shards", console)
    {
        foreach (Option option in Common.OfLoading)
            Options.Remove(option);
        Add(_source);
        Add(_destination);
        foreach (Option option in new Option[] { _type, _quantizeHead, _shardSize, _force })
            Add(option);
        Validators.Add(result =>
        {
            if (result.GetValue(_shardSize) is string size && ByteSize.Parse(size) is null)
                result.AddError($"--max-shard-size is \"{size}\"; a number of bytes with KB, MB, GB, KiB, MiB or GiB is needed, such as 500MB.");
            if (result.GetValue(_quantizeHead) && FormatOf(result.GetValue(_type)) == WeightFormat.AsStored)
                result.AddError("--quantize-head needs --dtype int8 or int4.");
            if (result.GetValue(Common.Model) is not null)
                result.AddError("convert takes SRC and DST, not --model.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string source = ModelLocator.Resolve(context.Get(_source)!, revision: null);
        WeightFormat format = FormatOf(context.Get(_type));
        var options = new ConversionOptions
        {
            Type = format == WeightFormat.AsStored && context.Get(_type) is string type ? Enum.Parse<ElementType>(type, ignoreCase: true) : null,
            WeightFormat = format,
            QuantizeHead = context.Get(_quantizeHead),
            MaxShardSize = ByteSize.Parse(context.Get(_shardSize)!)!.Value,
            Overwrite = context.Get(_force),
        };
        ConversionResult done = ConversionBar.Run(context.Console,
            progress => CheckpointConverter.Convert(source, context.Get(_destination)!, options, progress, cancellationToken));
        var result = new ConvertResult(source, done.Directory, [.. done.Files], [.. done.CopiedFiles], done.Tensors, done.Bytes,
            [.. done.Renamed.Select(tensor => new ConvertRenamed(tensor.From, tensor.To))],
            [.. done.Dropped.Select(tensor => new ConvertDropped(tensor.Name, tensor.Dtype, [.. tensor.Shape], tensor.TiedTo))], done.Quantized,
            [.. done.Warnings]);
        foreach (string warning in done.Warnings)
            context.Console.Warn(warning);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.ConvertResult))
            Write(context.Console.Out, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static WeightFormat FormatOf(string? type) => Enum.TryParse(type, ignoreCase: true, out WeightFormat format) ? format : WeightFormat.AsStored;

    private static void Write(TextWriter output, ConvertResult result)
    {
        foreach (ConvertRenamed tensor in result.Renamed)
            output.WriteLine($"renamed {Show.Visible(tensor.From)} to {Show.Visible(tensor.To)}");
        foreach (ConvertDropped tensor in result.Dropped)
            output.WriteLine($"dropped {Show.Visible(tensor.Name)} ({tensor.Dtype} [{string.Join(", ", tensor.Shape)}]), "
                + $"{(tensor.TiedTo is string original ? $"the same as {Show.Visible(original)}" : "which the model computes")}");
        if (result.Copied.Length > 0)
            output.WriteLine($"copied {Show.Visible(string.Join(", ", result.Copied))}");
        if (result.Quantized > 0)
            output.WriteLine($"quantized {result.Quantized} matrices");
        string files = result.Files.Length == 1 ? result.Files[0] : $"{result.Files.Length} files and their index";
        output.WriteLine(
            $"wrote {result.Tensors} tensors, {Show.Bytes(result.Bytes)}, to {Show.Visible(result.Destination)}: {files}; read again and found equal");
    }
}

/// <summary>What was written, and what became of tensors that are not written as they were.</summary>
internal sealed record ConvertResult(
    string Source, string Destination, string[] Files, string[] Copied, int Tensors, long Bytes, ConvertRenamed[] Renamed, ConvertDropped[] Dropped,
    int Quantized, string[] Warnings);

/// <summary>A tensor with another name.</summary>
internal sealed record ConvertRenamed(string From, string To);

/// <summary>A tensor that was left out: a buffer, or the same as another.</summary>
internal sealed record ConvertDropped(string Name, string Dtype, long[] Shape, string? TiedTo);
