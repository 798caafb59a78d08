using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>Checkpoints that are stored quantized: what is in the files, and that they give what quantizing while loading gives.</summary>
[TestFixture]
public class QuantizedCheckpointTests
{
    private static readonly int[] Prompt = [5, 17, 3, 22, 9, 30];
    private static readonly CodeGenConfig Tiny =
        new() { VocabSize = 40, NEmbd = 64, NLayer = 2, NHead = 4, RotaryDim = 8, NPositions = 24, InitializerRange = 0.2 };

    private TemporaryDirectory _source = null!;
    private TemporaryDirectory _destination = null!;

    [SetUp]
    public void CreateDirectories() => (_source, _destination) = (new TemporaryDirectory(), new TemporaryDirectory());

    [TearDown]
    public void DeleteDirectories()
    {
        _source.Dispose();
        _destination.Dispose();
    }

    [TestCase("demo-codegen", WeightFormat.Int8, false)]
    [TestCase("demo-codegen", WeightFormat.Int4, true)]
    [TestCase("demo-fill-mask", WeightFormat.Int8, true)]
    [TestCase("demo-language-id", WeightFormat.Int4, false)]
    [TestCase("gpt2", WeightFormat.Int4, false)]
    [TestCase("gptj", WeightFormat.Int8, false)]
    [TestCase("gpt_neox", WeightFormat.Int8, false)]
    [TestCase("gpt_bigcode", WeightFormat.Int4, false)]
    [TestCase("llama", WeightFormat.Int4, false)]
    [TestCase("qwen2", WeightFormat.Int8, false)]
    public void Every_bit_is_that_of_quantizing_while_loading(string model, WeightFormat format, bool shardedWithHead)
    {
        string source = SourceOf(model);
        var options =
            new ConversionOptions { WeightFormat = format, QuantizeHead = shardedWithHead, MaxShardSize = shardedWithHead ? 1_000_000 : long.MaxValue };
        ConversionResult result = CheckpointConverter.Convert(source, _destination.Path, options);
        Assert.That(result.Files, shardedWithHead ? Has.Count.GreaterThan(3) : Has.Count.EqualTo(1));
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            var kernels = new KernelOptions { Level = level };
            var whileLoading = new LoadOptions { Kernels = kernels, WeightFormat = format, QuantizeHead = shardedWithHead };
            using PretrainedModel loaded = PretrainedModels.Load(source, whileLoading);
            // The head of demo-fill-mask is tied to the embeddings: files have it as these, and loading quantizes it.
            bool tied = model == "demo-fill-mask";
            using PretrainedModel stored = PretrainedModels.Load(_destination.Path, tied ? whileLoading : new LoadOptions { Kernels = kernels });
            Assert.That(Outputs(stored), Is.EqualTo(Outputs(loaded)), $"{level}");
            Assert.That(stored.Fingerprint, Is.EqualTo(loaded.Fingerprint));
            Assert.That(stored.HeldWeights, Is.EqualTo(stored.Weights), "nothing is quantized again, and nothing copied");
        }
    }

    /// <summary>A checkpoint of models/, or a small one of a family.</summary>
    private string SourceOf(string model)
    {
        if (!DecoderFamilies.All.Contains(model)) return RepositoryFiles.PathOf($"models/{model}");
        using DecoderForCausalLM made = DecoderFamilies.Model(model, vocabSize: 300, width: 64, layers: 2);
        made.Save(_source.Path);
        return _source.Path;
    }

    [TestCase(false, false, "lm_head.weight")]
    [TestCase(true, false, "")]
    [TestCase(true, true, "lm_head.weight")]               // the head is the table of embeddings, and that stays
    public void The_matrices_of_linear_layers_are_quantized_and_nothing_else(bool head, bool tied, string kept)
    {
        Save(Tiny with { TieWordEmbeddings = tied });
        ConversionResult result = Convert(WeightFormat.Int8, head);
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        string[] plain = [.. written.Weights.Values.Where(weight => weight.BlockType is null).Select(weight => weight.Name)];
        Assert.That(written.Weights.Values.Select(weight => weight.BlockType).OfType<WeightType>(),
            Has.All.EqualTo(WeightType.Int8).And.Exactly(result.Quantized).Items);
        string[] matrices = [.. new[] { "attn.qkv_proj", "attn.out_proj", "mlp.fc_in", "mlp.fc_out" }.SelectMany(
            layer => new[] { $"transformer.h.0.{layer}.weight", $"transformer.h.1.{layer}.weight" })];
        string[] expected = head && !tied ? [.. matrices, "lm_head.weight"] : matrices;
        Assert.That(written.Weights.Keys.Except(plain), Is.EquivalentTo(expected));
        using Checkpoint source = Checkpoint.Open(_source.Path);
        foreach (string name in plain)
            Assert.That(written.Weights[name].Bytes.SequenceEqual(source.Weights[name].Bytes), Is.True, name);
        if (kept.Length > 0 && !tied) Assert.That(plain, Does.Contain(kept));
    }

    [Test]
    public void A_row_has_its_integers_first_and_then_an_fp16_scale_per_32([Values(WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format)
    {
        Save(Tiny);
        Convert(format);
        using SafetensorsFile written = SafetensorsFile.Open(_destination[Checkpoint.SingleFileName]);
        using SafetensorsFile source = SafetensorsFile.Open(_source[Checkpoint.SingleFileName]);
        const string Name = "transformer.h.1.mlp.fc_out.weight";
        Weight weight = written.Weights[Name];
        bool is8 = format == WeightFormat.Int8;
        (int k, int quants) = (256, is8 ? 256 : 128);
        Assert.That(weight.ToString(), Is.EqualTo($"{Name} U8 [64, {quants + 16}]"));
        Assert.That(written.Metadata, Is.EquivalentTo(new Dictionary<string, string>
        {
            ["format"] = "pt", ["managed_transformers.blocks"] = is8 ? "int8" : "int4", ["managed_transformers.block_size"] = "32",
            ["managed_transformers.block_version"] = "1",
        }));
        float[] original = source.Weights[Name].ToSingle();
        byte[] bytes = weight.Bytes.ToArray();
        for (int i = 0; i < original.Length; i++)
        {
            (int row, int column) = Math.DivRem(i, k);
            byte[] at = bytes[(row * (quants + 16))..((row + 1) * (quants + 16))];
            float scale = (float)BitConverter.ToHalf(at, quants + (column / 32 * 2));
            // Four bits: a byte has column c of a pair of blocks in its lower half, and c + 32 in its upper one.
            byte pair = at[is8 ? column : (column / 64 * 32) + (column % 32)];
            int integer = is8 ? (sbyte)pair : (column % 64 < 32 ? pair & 15 : pair >> 4) - 8;
            Assert.That(integer * scale, Is.EqualTo(original[i]).Within(Math.Abs(scale) * (is8 ? 0.51 : 1.51)), $"row {row}, column {column}");
        }
    }

    [Test]
    public void A_PyTorch_file_with_a_transposed_matrix_and_float64_is_quantized_like_safetensors()
    {
        Save(Tiny);
        Convert(WeightFormat.Int4);
        using Checkpoint source = Checkpoint.Open(_source.Path);
        using var torch = new TemporaryDirectory();
        using var converted = new TemporaryDirectory();
        File.Copy(_source["config.json"], torch["config.json"]);
        WriteTorch(torch[Checkpoint.TorchFileName], source.Weights.Values, transposed: "transformer.h.0.mlp.fc_in.weight",
            wide: "transformer.h.0.mlp.fc_out.weight");
        CheckpointConverter.Convert(torch.Path, converted.Path, new ConversionOptions { WeightFormat = WeightFormat.Int4 });
        using Checkpoint expected = Checkpoint.Open(_destination.Path), found = Checkpoint.Open(converted.Path);
        foreach (Weight weight in expected.Weights.Values.Where(weight => weight.BlockType is not null))
            Assert.That(found.Weights[weight.Name].Bytes.SequenceEqual(weight.Bytes), Is.True, weight.Name);
    }

    [Test]
    public void Other_floats_can_get_another_type_in_the_same_conversion()
    {
        Save(Tiny);
        CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { WeightFormat = WeightFormat.Int8, Type = ElementType.BF16 });
        using Checkpoint written = Checkpoint.Open(_destination.Path);
        Assert.That(written.Weights.Values.Select(weight => weight.Type).Distinct(), Is.EquivalentTo(new[] { ElementType.BF16, ElementType.U8 }));
        Assert.That(File.ReadAllText(_destination["config.json"]), Does.Contain("\"bfloat16\""));
    }

    [Test]
    public void Matrices_that_are_no_whole_pairs_of_blocks_stay_as_they_are()
    {
        Save(Tiny with { NEmbd = 32 });
        Assert.That(Convert(WeightFormat.Int4).Quantized, Is.EqualTo(2), "fc_out of both layers, with 128 columns");
        using CodeGenForCausalLM loaded = PretrainedModels.Load<CodeGenForCausalLM>(_source.Path, new LoadOptions { WeightFormat = WeightFormat.Int4 }),
            stored = PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path);
        Assert.That(Outputs(stored), Is.EqualTo(Outputs(loaded)));
        Assert.That(stored.Fingerprint, Is.EqualTo(loaded.Fingerprint), "config.json, which says no torch_dtype, was left as it is");
    }

    [Test]
    public void A_quantized_model_can_be_saved_and_written_in_shards_as_it_is()
    {
        Save(Tiny);
        Convert(WeightFormat.Int8, head: true);
        using var saved = new TemporaryDirectory();
        using var shards = new TemporaryDirectory();
        using CodeGenForCausalLM stored = PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path);
        stored.Save(saved.Path);
        ConversionResult result = CheckpointConverter.Convert(saved.Path, shards.Path, new ConversionOptions { MaxShardSize = 20_000 });
        Assert.That(result.Files.Select(file => new FileInfo(shards[file]).Length), Has.All.LessThan(25_000).And.Exactly(result.Files.Count).Items);
        Assert.That(result.Files, Has.Count.GreaterThan(4));
        using CodeGenForCausalLM back = PretrainedModels.Load<CodeGenForCausalLM>(shards.Path);
        Assert.That(Outputs(back), Is.EqualTo(Outputs(stored)));
    }

    [Test]
    public void Asking_for_the_format_that_is_stored_changes_nothing_and_for_another_is_refused()
    {
        Save(Tiny);
        Convert(WeightFormat.Int8);
        using (CodeGenForCausalLM same = PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path, new LoadOptions { WeightFormat = WeightFormat.Int8 }),
            stored = PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path))
            Assert.That(same.Fingerprint, Is.EqualTo(stored.Fingerprint));
        CheckpointException refused =
            Assert.Throws<CheckpointException>(() => PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path,
                new LoadOptions { WeightFormat = WeightFormat.Int4 }))!;
        Assert.That(refused.Problems, Has.Count.EqualTo(1));
        Assert.That(refused.Message, Does.Contain("stored as Int8").And.Contain("asks for Int4").And.Contain("Load them as they are stored"));
    }

    [TestCase(ElementType.F32, WeightFormat.AsStored)]
    [TestCase(null, WeightFormat.Int4)]
    [TestCase(null, WeightFormat.Int8)]
    public void What_is_quantized_is_not_converted_again(ElementType? type, WeightFormat format)
    {
        Save(Tiny);
        Convert(WeightFormat.Int8);
        using var third = new TemporaryDirectory();
        Assert.That(() => CheckpointConverter.Convert(_destination.Path, third.Path, new ConversionOptions { Type = type, WeightFormat = format }),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("is quantized already (Int8)").And.Message.Contains("convert the original"));
        Assert.That(Directory.GetFileSystemEntries(third.Path), Is.Empty);
    }

    [TestCase(float.NaN, "holds NaN")]
    [TestCase(float.PositiveInfinity, "only finite numbers")]
    [TestCase(1e8f, "only finite numbers up to")]           // its scale would be infinite as a half
    public void A_weight_that_no_scale_stands_for_is_refused_and_nothing_is_left(float value, string says)
    {
        Save(Tiny);
        Change("model.safetensors", "transformer.h.1.mlp.fc_out.weight", weight =>
        {
            float[] values = weight.ToSingle();
            values[^1] = value;
            return TensorEntry.Create(weight.Name, weight.Shape, values);
        }, _source);
        Assert.That(() => Convert(WeightFormat.Int8), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains("transformer.h.1.mlp.fc_out.weight in model.safetensors cannot be quantized").And.Message.Contains(says));
        Assert.That(Directory.GetFileSystemEntries(_destination.Path), Is.Empty);
    }

    [Test]
    public void Without_a_class_that_says_which_layers_are_linear_nothing_is_quantized()
    {
        Save(Tiny);
        File.Delete(_source["config.json"]);
        Assert.That(() => Convert(WeightFormat.Int8), Throws.TypeOf<ConfigException>().With.Message.Contains("config.json"));
        File.WriteAllBytes(_source["config.json"], ConfigJson.Write(Tiny with { NLayer = 3, Architectures = ["CodeGenForCausalLM"] }));
        Assert.That(() => Convert(WeightFormat.Int8), Throws.TypeOf<CheckpointException>().With.Message.Contains("transformer.h.2.ln_1.weight is missing"));
        Assert.That(Directory.GetFileSystemEntries(_destination.Path), Is.Empty);
    }

    [Test]
    public void What_is_written_is_read_again_and_compared()
    {
        Save(Tiny);
        var progress = new Recorder(value =>
        {
            if (!value.Checking) return;
            string written = Directory.GetFiles(_destination.Path, "model*", SearchOption.AllDirectories).Single();
            using FileStream file = new(written, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            file.Position = file.Length - 1;               // the last scale of the last quantized matrix
            int last = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(last ^ 1));
        });
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { WeightFormat = WeightFormat.Int4 }, progress),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("was written and reads differently"));
        Assert.That(Directory.GetFileSystemEntries(_destination.Path), Is.Empty);
    }

    [TestCase("managed_transformers.blocks", "nf4", "managed_transformers.blocks = \"nf4\"; this version reads int8 and int4")]
    [TestCase("managed_transformers.block_size", "64", "block_size = \"64\"; this version reads 32")]
    [TestCase("managed_transformers.block_size", null, "block_size = \"\"; this version reads 32")]
    [TestCase("managed_transformers.block_version", "2", "block_version = \"2\"; this version reads 1")]
    [TestCase("managed_transformers.blocks", null, "It is U8: if it was quantized, the metadata that said so is lost")]
    [TestCase("managed_transformers.blocks", "int4", "is [192, 68] bytes of Int4; config.json (codegen) needs [192, 64], which are [192, 36] bytes")]
    public void Metadata_that_does_not_fit_is_refused(string key, string? value, string says)
    {
        Save(Tiny);
        Convert(WeightFormat.Int8);
        Rewrite(_destination, metadata =>
        {
            metadata.Remove(key);
            if (value is not null) metadata[key] = value;
        });
        Assert.That(() => PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("model.safetensors").And.Message.Contains(says));
    }

    [TestCase("transformer.h.0.mlp.fc_in.weight", 256, 67, "is [256, 67] bytes of Int8; config.json (codegen) needs [256, 64], which are [256, 68] bytes")]
    [TestCase("transformer.h.0.mlp.fc_in.weight", 255, 68, "is [255, 68] bytes of Int8")]
    [TestCase("transformer.wte.weight", 40, 68, "transformer.wte.weight in model.safetensors is quantized (Int8); config.json (codegen) needs [40, 64]")]
    [TestCase("transformer.wte.weight", 40, 64, "only the matrices of linear layers can be quantized")]
    [TestCase("transformer.ln_f.weight", 1, 64, "is quantized (Int8); config.json (codegen) needs [64]")]
    [TestCase("transformer.ln_f.weight", 64, 0, "has type U8; F32, F16, BF16 or F64 is needed")]
    public void A_tensor_that_cannot_be_what_it_is_named_for_is_refused(string name, int rows, int columns, string says)
    {
        Save(Tiny);
        Convert(WeightFormat.Int8);
        long[] shape = columns == 0 ? [rows] : [rows, columns];
        Change("model.safetensors", name, weight => new TensorEntry(name, ElementType.U8, shape, new byte[rows * Math.Max(1, columns)]), _destination);
        Assert.That(() => PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path), Throws.TypeOf<CheckpointException>().With.Message.Contains(says));
    }

    [Test]
    public void Rows_of_the_configuration_that_no_blocks_hold_are_refused()
    {
        Save(Tiny);
        Convert(WeightFormat.Int8);
        File.WriteAllBytes(_destination["config.json"], ConfigJson.Write(Tiny with { NEmbd = 96, Architectures = ["CodeGenForCausalLM"] }));
        Assert.That(() => PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("rows of 96 weights are no whole pairs of blocks (64)"));
    }

    [Test]
    public void A_file_that_was_cut_is_refused()
    {
        Save(Tiny);
        Convert(WeightFormat.Int8);
        byte[] file = File.ReadAllBytes(_destination[Checkpoint.SingleFileName]);
        File.WriteAllBytes(_destination[Checkpoint.SingleFileName], file[..^1]);
        Assert.That(() => PretrainedModels.Load<CodeGenForCausalLM>(_destination.Path),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("The file is truncated"));
    }

    [Test]
    public void Shards_of_two_formats_are_no_checkpoint()
    {
        Save(Tiny);
        using var other = new TemporaryDirectory();
        string[] files = [.. CheckpointConverter.Convert(_source.Path, _destination.Path,
            new ConversionOptions { WeightFormat = WeightFormat.Int8, MaxShardSize = 40_000 }).Files];
        Change(files[^1], name: null, weight => TensorEntry.Create(weight), _destination, metadata => metadata["managed_transformers.blocks"] = "int4");
        Assert.That(() => Checkpoint.Open(_destination.Path),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("Some shards are quantized to Int8, some to Int4"));
    }

    [Test]
    public void Impossible_options_are_refused()
    {
        Save(Tiny);
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { QuantizeHead = true }),
            Throws.ArgumentException.With.Message.Contains("QuantizeHead"));
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { WeightFormat = (WeightFormat)9 }),
            Throws.ArgumentException.With.Message.Contains("WeightFormat is 9"));
    }

    [Test]
    public void A_tied_tensor_is_written_once_where_it_is_the_same([Values] bool same)
    {
        var config = new RobertaConfig
        {
            VocabSize = 40, HiddenSize = 64, NumHiddenLayers = 1, NumAttentionHeads = 4, IntermediateSize = 64, MaxPositionEmbeddings = 16, TypeVocabSize = 1,
        };
        using (RobertaForMaskedLM model = PretrainedModels.FromConfig<RobertaForMaskedLM>(config, seed: 7)) model.Save(_source.Path);
        Weight? table = null;
        using (SafetensorsFile file = SafetensorsFile.Open(_source[Checkpoint.SingleFileName]))
        {
            table = file.Weights["roberta.embeddings.word_embeddings.weight"];
            float[] values = table.ToSingle();
            if (!same) values[^1]++;
            SafetensorsWriter.Write(_source["new"],
                [.. file.Weights.Values.Select(weight => TensorEntry.Create(weight)), TensorEntry.Create("lm_head.decoder.weight", table.Shape, values)]);
        }
        File.Move(_source["new"], _source[Checkpoint.SingleFileName], overwrite: true);
        ConversionResult result = CheckpointConverter.Convert(_source.Path, _destination.Path);
        Assert.That(result.Dropped.Select(tensor => (tensor.Name, tensor.TiedTo)),
            Is.EqualTo(same ? [("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight")] : Array.Empty<(string, string?)>()));
        using RobertaForMaskedLM before = PretrainedModels.Load<RobertaForMaskedLM>(_source.Path),
            after = PretrainedModels.Load<RobertaForMaskedLM>(_destination.Path);
        Assert.That(Outputs(after), Is.EqualTo(Outputs(before)));
    }

    [Test]
    public void A_masked_LM_decoder_that_is_not_tied_is_a_head([Values] bool bert,
        [Values(WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format, [Values] bool head)
    {
        string decoder = bert ? "cls.predictions.decoder.weight" : "lm_head.decoder.weight",
            dense = bert ? "cls.predictions.transform.dense.weight" : "lm_head.dense.weight";
        using (PretrainedModel model = bert ? PretrainedModels.FromConfig<BertForMaskedLM>(Small(new BertConfig()), seed: 7)
            : PretrainedModels.FromConfig<RobertaForMaskedLM>(Small(new RobertaConfig()), seed: 7))
            model.Save(_source.Path);
        Convert(format, head);
        using (Checkpoint written = Checkpoint.Open(_destination.Path))
        {
            Assert.That(written.Weights[dense].BlockType, Is.EqualTo(StoredBlocks.TypeOf(format)));
            Assert.That(written.Weights[decoder].BlockType, Is.EqualTo(head ? StoredBlocks.TypeOf(format) : null));
        }
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            var kernels = new KernelOptions { Level = level };
            using PretrainedModel loaded =
                PretrainedModels.Load(_source.Path, new LoadOptions { Kernels = kernels, WeightFormat = format, QuantizeHead = head });
            using PretrainedModel stored = PretrainedModels.Load(_destination.Path, new LoadOptions { Kernels = kernels });
            Assert.That(loaded.HeldWeights.Single(weight => weight.Name == decoder).BlockType, Is.EqualTo(head ? StoredBlocks.TypeOf(format) : null));
            Assert.That(Outputs(stored), Is.EqualTo(Outputs(loaded)).And.Some.Not.Zero, $"{level}");
            Assert.That(stored.Fingerprint, Is.EqualTo(loaded.Fingerprint));
        }

        static T Small<T>(T config) where T : BertConfig =>
            config with
            {
                VocabSize = 40,
                HiddenSize = 64,
                NumHiddenLayers = 1,
                NumAttentionHeads = 4,
                IntermediateSize = 64,
                MaxPositionEmbeddings = 16,
                TieWordEmbeddings = false,
            };
    }

    private void Save(CodeGenConfig config)
    {
        using CodeGenForCausalLM model = PretrainedModels.FromConfig<CodeGenForCausalLM>(config, seed: 7);
        model.Save(_source.Path);
    }

    private ConversionResult Convert(WeightFormat format, bool head = false) =>
        CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { WeightFormat = format, QuantizeHead = head });

    private static float[] Outputs(PretrainedModel model)
    {
        using Session session = model.CreateSession();
        return model.Forward(ModelInputs.Of(Prompt), session) switch
        {
            CausalLMOutput causal => causal.Logits.ToArray(),
            MaskedLMOutput masked => masked.Logits.ToArray(),
            SequenceClassifierOutput classes => classes.Logits.ToArray(),
            _ => throw new NotSupportedException(model.Architecture),
        };
    }

    private static void Rewrite(TemporaryDirectory directory, Action<Dictionary<string, string>> metadata) =>
        Change(Checkpoint.SingleFileName, name: null, weight => TensorEntry.Create(weight), directory, metadata);

    /// <summary>Writes a file again with one tensor changed (all where there is no name), and its metadata.</summary>
    private static void Change(string fileName, string? name, Func<Weight, TensorEntry> change, TemporaryDirectory directory,
        Action<Dictionary<string, string>>? changeMetadata = null)
    {
        using (SafetensorsFile file = SafetensorsFile.Open(directory[fileName]))
        {
            var metadata = new Dictionary<string, string>(file.Metadata);
            changeMetadata?.Invoke(metadata);
            SafetensorsWriter.Write(directory["new"],
                [.. file.Weights.Values.Select(weight => name is null || weight.Name == name ? change(weight) : TensorEntry.Create(weight))], metadata);
        }
        File.Move(directory["new"], directory[fileName], overwrite: true);
    }

    /// <summary>The weights as a PyTorch file: one of them stored transposed, one in float64.</summary>
    private static void WriteTorch(string path, IEnumerable<Weight> weights, string transposed, string wide)
    {
        var tensors = new List<(string, string)>();
        var storages = new List<(string, byte[])>();
        foreach (Weight weight in weights)
        {
            string key = $"{tensors.Count + 1}";
            float[] values = weight.ToSingle();
            long[] shape = [.. weight.Shape], strides = shape.Length == 2 ? [shape[1], 1] : [1];
            if (weight.Name == transposed)
            {
                (long rows, long columns) = (shape[0], shape[1]);
                values = [.. Enumerable.Range(0, values.Length).Select(i => values[(i % rows * columns) + (i / rows)])];
                strides = [1, rows];
            }
            byte[] bytes = weight.Name == wide
                ? System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.Select(value => (double)value).ToArray().AsSpan()).ToArray()
                : System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
            storages.Add(($"archive/data/{key}", bytes));
            string storage = RawTorch.Storage(key, values.Length, weight.Name == wide ? "DoubleStorage" : "FloatStorage");
            tensors.Add((weight.Name, RawTorch.Tensor(storage, 0, shape, strides)));
        }
        File.WriteAllBytes(path, RawTorch.Build(RawTorch.Dict(tensors), [.. storages]));
    }

    private sealed class Recorder(Action<WriteProgress> report) : IProgress<WriteProgress>
    {
        public void Report(WriteProgress value) => report(value);
    }
}
