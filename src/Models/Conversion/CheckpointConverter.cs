using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>
/// Writes a checkpoint again as safetensors: PyTorch files in a form that opens everywhere, weights in another type or quantized, in one file or in shards.
/// Parameters get today's names (LayerNorm's gamma and beta, those of a wrapped model), buffers that the model computes and second copies of tied tensors are
/// left out, configuration and tokenizer come along.
/// </summary>
public static class CheckpointConverter
{
    /// <summary>
    /// Converts a checkpoint directory. Blocks of one tensor at a time are in memory. All files are written into a hidden directory (<c>.….unfinished</c>)
    /// inside the destination, read again and compared with the source; then the destination and it are exchanged in one step. A conversion that was killed
    /// leaves what was there, or the new checkpoint, and its hidden directory, which the next conversion to the same destination removes.
    /// </summary>
    /// <param name="source">A directory with weights, as <see cref="Checkpoint.Open"/> takes it.</param>
    /// <param name="destination">
    /// A directory, created where it is missing; may be the source's own, to put safetensors next to its .bin files. What it has besides stays in it, and
    /// <see cref="ConversionResult.Warnings"/> names what of it belongs to the checkpoint from now on. Several conversions to it take turns. It
    /// becomes a new directory of the same name: one that is a mount, the current directory, or of a file system that cannot exchange two (on Windows all)
    /// gets the files one by one instead, config.json last, and does not open if the conversion is killed between two of them.
    /// </param>
    /// <param name="options">Type, quantization, size of the shards.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Ends the conversion; nothing is left behind.</param>
    /// <exception cref="CheckpointException">
    /// The source cannot be read, has a number that the new type cannot hold, or what was written differs from it; or it is to be quantized, and is quantized
    /// already, or its tensors are not those of its architecture.
    /// </exception>
    /// <exception cref="ConfigException">config.json is broken; or it is missing or names no known class, and linear layers are to be quantized.</exception>
    /// <exception cref="ArgumentException">The options are impossible.</exception>
    /// <exception cref="IOException">A checkpoint is in the destination already, the disk is full, …</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static ConversionResult Convert(string source, string destination, ConversionOptions? options = null, IProgress<WriteProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(destination);
        options ??= new ConversionOptions();
        if (options.Type is not (null or ElementType.F32 or ElementType.F16 or ElementType.BF16))
            throw new ArgumentException($"Type is {options.Type}; weights can be stored as F32, F16 or BF16.", nameof(options));
        if (!Enum.IsDefined(options.WeightFormat))
            throw new ArgumentException($"WeightFormat is {options.WeightFormat}; " +
                $"it can be {string.Join(", ", Enum.GetNames<WeightFormat>())}.", nameof(options));
        if (options is { QuantizeHead: true, WeightFormat: WeightFormat.AsStored })
            throw new ArgumentException("QuantizeHead is set, and WeightFormat is AsStored: say Int8 or Int4.", nameof(options));
        if (options.MaxShardSize < 1)
            throw new ArgumentException($"MaxShardSize is {options.MaxShardSize}; at least 1 is needed.", nameof(options));

        using Checkpoint checkpoint = Checkpoint.Open(source);
        var plan = new ConversionPlan(source, checkpoint, options);
        var shards = new ShardPlan(plan.Tensors.Select(tensor => tensor.Entry), options.MaxShardSize);
        var target = new ConversionTarget(source, destination, checkpoint, options.Overwrite);
        PendingDirectory.RemoveLeft(destination);
        target.RequireFree();
        try
        {
            using var files = new PendingDirectory(destination);
            string[] copied = [.. CopyCompanions(source, target, plan.FloatType, files)];
            string[] written = [.. WriteShards(checkpoint, plan, shards, files, progress, cancellationToken)];
            Check(plan, shards, written, progress, cancellationToken);
            checkpoint.RequireUnchanged();
            string? strangers = target.IsSource ? null : CompanionFiles.Strangers(source, destination, copied);
            cancellationToken.ThrowIfCancellationRequested();
            files.Publish(replaces: !target.IsSource, ConversionTarget.IsWeightFile, target.RequireFree);
            return new ConversionResult(destination, shards.FileNames, copied, plan.Tensors.Count, plan.Bytes, plan.Renamed, plan.Dropped, plan.Quantized)
            {
                Warnings = [.. plan.Warnings, .. strangers is null ? [] : (string[])[strangers], .. files.Left.Select(LeftWarning)],
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The checkpoint cannot be written to {destination}: {e.Message.TrimEnd('.')}. " +
                $"Its tensors take {plan.Bytes} bytes; no half file was left.", e);
        }
    }

    private static string LeftWarning(string path) =>
        $"{path} was left by a conversion that was killed, and cannot be removed by this user or from this file system. Remove it: nothing reads it.";

    private static IEnumerable<string> CopyCompanions(string directory, ConversionTarget target, ElementType? type, PendingDirectory files)
    {
        var source = new DirectorySource(directory);
        foreach (string name in CompanionFiles.Names(directory, source))
        {
            ReadOnlyMemory<byte> bytes = source.ReadWhole(name);
            ReadOnlyMemory<byte> content = name == ConfigJson.FileName ? CompanionFiles.WithType(bytes, type) : bytes;
            if (target.IsSource && content.Equals(bytes)) continue;         // it is there already
            files.Add(name, stream => stream.Write(content.Span));
            yield return name;
        }
    }

    /// <summary>Writes the shards and, last, their index.</summary>
    /// <returns>Where the shards lie for now.</returns>
    private static IEnumerable<string> WriteShards(Checkpoint checkpoint, ConversionPlan plan, ShardPlan shards, PendingDirectory files,
        IProgress<WriteProgress>? progress, CancellationToken cancellationToken)
    {
        var metadata = checkpoint.Metadata.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
        metadata.TryAdd("format", "pt");                   // transformers refuses files without it
        if (plan.Blocks is WeightType blocks) StoredBlocks.Write(metadata, blocks);
        var tally = new WriteTally(progress, plan.Bytes);
        foreach ((string name, List<TensorEntry> shard) in shards.FileNames.Zip(shards.Shards))
            yield return files.Add(name, stream => SafetensorsWriter.Write(stream, shard, metadata, tally, cancellationToken));
        if (shards.IsSharded) files.Add(Checkpoint.IndexFileName, shards.WriteIndex);
    }

    /// <summary>Reads what was written again and compares it with the source.</summary>
    private static void Check(ConversionPlan plan, ShardPlan shards, string[] written, IProgress<WriteProgress>? progress, CancellationToken cancellationToken)
    {
        var expected = plan.Tensors.ToDictionary(tensor => tensor.Entry.Name, StringComparer.Ordinal);
        long done = 0;
        foreach ((string path, List<TensorEntry> shard) in written.Zip(shards.Shards))
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            foreach (TensorEntry entry in shard)
            {
                if (!file.Weights.TryGetValue(entry.Name, out Weight? weight) || !expected[entry.Name].Equals(weight, cancellationToken))
                    throw new CheckpointException($"{entry.Name} was written and reads differently: " +
                        "the disk or the memory of this machine is faulty, or the source was changed meanwhile. Nothing was kept; convert again.")
                    {
                        TensorName = entry.Name,
                    };
                done += entry.ByteLength;
                progress?.Report(new WriteProgress(entry.Name, done, plan.Bytes, Checking: true));
            }
        }
    }
}

/// <summary>How a checkpoint is converted.</summary>
public sealed record ConversionOptions
{
    /// <summary>The type in which floats are stored: F32, F16 or BF16; as they are when null. Integers, booleans and what is quantized keep theirs.</summary>
    public ElementType? Type { get; init; }

    /// <summary>
    /// Whether the matrices of linear layers are stored quantized: those that <see cref="LoadOptions.WeightFormat"/> would quantize, with the same result.
    /// Needs config.json, which names the class whose layers they are. A checkpoint that is quantized already can only be written as it is.
    /// </summary>
    public WeightFormat WeightFormat { get; init; }

    /// <summary>
    /// Whether <see cref="WeightFormat"/> holds for the head over the vocabulary (lm_head, a masked-LM decoder) as well. One that is tied to the embeddings
    /// stays as they are; <see cref="LoadOptions.QuantizeHead"/> quantizes it while loading.
    /// </summary>
    public bool QuantizeHead { get; init; }

    /// <summary>Most tensor bytes in a file; 5 GB as in transformers. A single larger tensor gets a file of its own.</summary>
    public long MaxShardSize { get; init; } = 5_000_000_000;

    /// <summary>Whether a checkpoint that is in the destination is replaced.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>A tensor that was left out, because the model computes it, or because another is the same.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Dtype">How it was stored, as safetensors names it: F32, BOOL …</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="TiedTo">The tensor of the source that the model reads in its place, with the same bytes (a tied decoder); null where it computes it.</param>
public sealed record DroppedTensor(string Name, string Dtype, IReadOnlyList<long> Shape, string? TiedTo = null);

/// <summary>What a conversion did.</summary>
/// <param name="Directory">Where it wrote.</param>
/// <param name="Files">The files with tensors.</param>
/// <param name="CopiedFiles">Configuration and tokenizer files that came along.</param>
/// <param name="Tensors">Tensors that were written.</param>
/// <param name="Bytes">Bytes of those.</param>
/// <param name="Renamed">Those with another name: that in the source, and that in what was written.</param>
/// <param name="Dropped">Those that were left out.</param>
/// <param name="Quantized">How many were quantized.</param>
public sealed record ConversionResult(
    string Directory, IReadOnlyList<string> Files, IReadOnlyList<string> CopiedFiles, int Tensors, long Bytes,
    IReadOnlyList<(string From, string To)> Renamed, IReadOnlyList<DroppedTensor> Dropped, int Quantized = 0)
{
    /// <summary>
    /// What is odd, in sentences for people: what <see cref="PretrainedModel.Warnings"/> says of the source, files of another checkpoint that stay in the
    /// destination and are read with the new weights (tokenizer.json, modules.json …), and what a killed conversion left and cannot be removed.
    /// </summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
