using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Every work of the bench, by group.</summary>
internal static class WorkCatalog
{
    /// <summary>The group that measures the machine and nothing of ours.</summary>
    public const string Limits = "limits";

    /// <summary>The group of the seed's own size, which is not among <see cref="Groups"/>: it takes 14 GB on disk.</summary>
    public const string Seed = "seed";

    private const string Gemm = "gemm";

    public static IReadOnlyList<string> Groups { get; } =
    [
        Limits, "hand-off", Gemm, "encoder", "fill-mask", "batch", "prefill", "decode", "generate", "serve", "gateway", "callers", "vectors", "load",
        "tokenizers",
    ];

    private static readonly ModelSize[] s_decoders = [ModelSize.CodeGen, ModelSize.QwenHalf, ModelSize.QwenOneAndAHalf, ModelSize.StarCoder];

    /// <summary>The levels that a group is measured at where none were asked for.</summary>
    public static IReadOnlyList<KernelLevel> DefaultLevels(string group, bool quick) => group == Gemm && !quick
        ? [.. KernelDispatch.Supported.Where(level => level != KernelLevel.Reference).Reverse()]
        : [KernelDispatch.Level];

    /// <summary>The part of the library that a work is about: a line of the summary.</summary>
    public static string? AreaOf(string group, Work work) => group switch
    {
        Limits or "hand-off" => null,
        Gemm => "GEMM",
        "encoder" or "fill-mask" => "encoders",
        "batch" or "serve" or "gateway" or "callers" => "batches",
        "prefill" => "prompts",
        "generate" when work is RowsWork => "batches",
        "decode" or "generate" => "decoding",
        "load" => "loading",
        Seed => "the seed's own size",
        _ => group,
    };

    /// <summary>The works of a group at one level and number of threads, made one by one; or a choice of them.</summary>
    public static IEnumerable<Work> Create(string group, ModelCache models, KernelOptions kernels, bool quick) =>
        quick ? Quick(group, models, kernels) : All(group, models, kernels);

    /// <summary>At least one work of each area, on two of the checkpoints.</summary>
    private static IEnumerable<Work> Quick(string group, ModelCache models, KernelOptions kernels)
    {
        (ModelSize encoder, ModelSize decoder) = (ModelSize.CodeBerta, ModelSize.CodeGen);
        EncoderWork Body(WeightFormat format) => new("CodeBERTa body 1×128", encoder, EncoderPart.Body, Full(1, 128), models, kernels, format);
        return group switch
        {
            "encoder" => [Body(WeightFormat.AsStored), Body(WeightFormat.Int8)],
            "prefill" => Of(format => new PrefillWork(decoder, 128, models, kernels, format)),
            "decode" => Of(format => new DecodeWork(decoder, 128, models, kernels, format)),
            "generate" => [new RowsWork(8, 512, models, kernels)],
            "load" => [new OpenWork(decoder, models.Checkpoints, kernels), OpenFilesWork.Torch(encoder, models.Checkpoints, kernels)],
            "tokenizers" => TokenizerWork.Quick(kernels),
            Gemm or "batch" => All(group, models, kernels),
            _ => [],
        };

        static IEnumerable<Work> Of(Func<WeightFormat, Work> make) => new[] { WeightFormat.AsStored, WeightFormat.Int8, WeightFormat.Int4 }.Select(make);
    }

    private static IEnumerable<Work> All(string group, ModelCache models, KernelOptions kernels) => group switch
    {
        Gemm => [new GemmWork(128, 3072, 768, kernels), new GemmWork(512, 768, 3072, kernels)],
        "hand-off" => [new HandOffWork(kernels)],
        "encoder" => Encoders(models, kernels),
        "fill-mask" => [new EncoderWork("CodeBERTa fill one mask 1×128", ModelSize.CodeBerta, EncoderPart.OneMask, Full(1, 128), models, kernels)],
        "batch" => [new EncoderWork("CodeBERTa body 16 texts of 10…300", ModelSize.CodeBerta, EncoderPart.Body, Mixed(), models, kernels)],
        "prefill" => s_decoders.SelectMany(size => Prefills(size, models, kernels)),
        "decode" => s_decoders.SelectMany(size => Decodes(size, models, kernels)),
        "generate" =>
        [
            new LookupWork("near-duplicate functions", "near_duplicates.py", lookup: true, models, kernels),
            new LookupWork("prose without repetition", "no_repetition.txt", lookup: true, models, kernels),
            new RowsWork(8, 512, models, kernels),
            new RowsWork(8, 128, models, kernels),
            new RowsWork(16, 128, models, kernels),
            new RowsWork(64, 128, models, kernels),
        ],
        "serve" => [.. new[] { 8, 16 }.Select(streams => new ServeWork(streams, isDeterministic: true, models, kernels)),
            new ServeWork(16, isDeterministic: false, models, kernels), new HttpServeWork(16, models, kernels), new HttpEmbedWork(64, models, kernels)],
        "gateway" => GatewayWork.All(models, kernels),
        "callers" => [new CallersWork(32, kernels)],
        "vectors" => [new VectorSearchWork(1_000_000, 384, kernels)],
        "load" => Loads(models.Checkpoints, kernels),
        "tokenizers" => TokenizerWork.All(kernels),
        Seed => Seeds(models, kernels),
        _ => [],
    };

    private static IEnumerable<Work> Encoders(ModelCache models, KernelOptions kernels)
    {
        foreach (ModelSize size in new[] { ModelSize.CodeBerta, ModelSize.StarEncoder })
        {
            foreach (EncoderPart part in new[] { EncoderPart.Body, EncoderPart.FullLogits })
            {
                foreach ((int rows, int length) in Shapes(size))
                {
                    string what = part == EncoderPart.Body ? "body" : "full logits";
                    yield return new EncoderWork($"{size.Name} {what} {rows}×{length}", size, part, Full(rows, length), models, kernels);
                }
            }
        }
        foreach (ModelSize size in new[] { ModelSize.MiniLM, ModelSize.E5Small })
        {
            foreach ((int rows, int length) in new[] { (1, 16), (1, 128), (32, 64) })
                yield return new EncoderWork($"{size.Name} body {rows}×{length}", size, EncoderPart.Body, Full(rows, length), models, kernels);
        }
        foreach ((int rows, int length) in Shapes(ModelSize.CodeBerta))
            yield return new EncoderWork($"CodeBERTa body {rows}×{length}", ModelSize.CodeBerta, EncoderPart.Body, Full(rows, length), models,
                kernels, WeightFormat.Int8);
    }

    private static IEnumerable<Work> Prefills(ModelSize size, ModelCache models, KernelOptions kernels)
    {
        yield return new PrefillWork(size, 128, models, kernels);
        yield return new PrefillWork(size, 512, models, kernels);
        yield return new PrefillWork(size, 128, models, kernels, WeightFormat.Int8);
        yield return new PrefillWork(size, 512, models, kernels, WeightFormat.Int8);
        yield return new PrefillWork(size, 128, models, kernels, WeightFormat.Int4);
    }

    private static IEnumerable<Work> Decodes(ModelSize size, ModelCache models, KernelOptions kernels)
    {
        yield return new DecodeWork(size, 128, models, kernels);
        yield return new DecodeWork(size, 1024, models, kernels);
        yield return new DecodeWork(size, 128, models, kernels, WeightFormat.Int8);
        yield return new DecodeWork(size, 128, models, kernels, WeightFormat.Int4);
        yield return new DecodeWork(size, 128, models, kernels, WeightFormat.Int8, WeightType.F16);
        yield return new DecodeWork(size, 128, models, kernels, WeightFormat.Int4, WeightType.F16);
    }

    /// <summary>CodeGen-6B's and CodeGen2-1B's shapes, and a prompt of the smaller CodeGen to compare with. CodeGen-6B is timed alone: there is no room for it
    /// in F16 as well.</summary>
    private static IEnumerable<Work> Seeds(ModelCache models, KernelOptions kernels)
    {
        yield return new PrefillWork(ModelSize.CodeGen, 512, models, kernels, WeightFormat.Int4);
        foreach (WeightFormat format in Enum.GetValues<WeightFormat>())
        {
            yield return new DecodeWork(ModelSize.CodeGen2, 128, models, kernels, format);
            yield return new PrefillWork(ModelSize.CodeGen2, 512, models, kernels, format);
        }
        foreach (ModelSize size in new[] { ModelSize.CodeGen2, ModelSize.CodeGen6B })
        {
            yield return new OpenWork(size, models.Checkpoints, kernels);
            yield return new ConvertWork(size, WeightFormat.Int4, models.Checkpoints, kernels);
            yield return new LoadQuantizedWork(size, WeightFormat.Int4, models.Checkpoints, kernels);
        }
        foreach (WeightFormat format in new[] { WeightFormat.Int4, WeightFormat.Int8 })
        {
            yield return new DecodeWork(ModelSize.CodeGen6B, 128, models, kernels, format) { Siblings = [], Peers = [] };
            yield return new PrefillWork(ModelSize.CodeGen6B, 512, models, kernels, format) { Siblings = [], Peers = [] };
        }
    }

    private static (int Rows, int Length)[] Shapes(ModelSize size) =>
        size == ModelSize.StarEncoder ? [(1, 16), (1, 128), (1, 512), (1, 1024), (8, 128)] : [(1, 16), (1, 128), (1, 512), (8, 128)];

    private static IEnumerable<Work> Loads(CheckpointCache checkpoints, KernelOptions kernels)
    {
        foreach (ModelSize size in new[] { ModelSize.CodeBerta, ModelSize.StarEncoder, ModelSize.CodeGen })
        {
            yield return new OpenWork(size, checkpoints, kernels);
            yield return OpenFilesWork.Torch(size, checkpoints, kernels);
            yield return new ColdStartWork(size, checkpoints, kernels);
        }
    }

    private static ModelInputs Full(int rows, int length) => new(rows, length) { InputIds = TokenIds.Some(rows * length) };

    private static ModelInputs Mixed() => ModelInputs.OfBatch([.. TokenIds.BatchLengths().Select(TokenIds.Some)], ModelSize.CodeBerta.PadTokenId);
}
