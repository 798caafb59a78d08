namespace ManagedTransformers.Models.Tests;

/// <summary>Files that hold more than the model, or under other names: they run with a warning; strict loading refuses them.</summary>
public sealed class LoadWarningTests
{
    private static readonly RobertaConfig Config = new()
    {
        VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 2, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 12,
        Id2Label = new Dictionary<string, string> { ["0"] = "a", ["1"] = "b" },
    };

    private static readonly TensorEntry LossWeight = TensorEntry.Create("loss_fct.weight", [6], new float[6]);
    private static readonly TensorEntry BatchCount = new("num_batches_tracked", ElementType.I64, [], new byte[8]);

    private readonly PretrainedModel _model = PretrainedModels.FromConfig<RobertaForSequenceClassification>(Config, seed: 3);

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [Test]
    public void A_checkpoint_that_fits_has_no_warning()
    {
        using PretrainedModel loaded = PretrainedModels.FromBytes(Files(name => name), new LoadOptions { Strict = true });
        Assert.That(loaded.Warnings, Is.Empty);
    }

    [Test]
    public void A_tensor_that_the_model_does_not_know_is_warned_of_by_name()
    {
        foreach (TensorEntry extra in new[] { LossWeight, BatchCount })
        {
            var told = new List<string>();
            using PretrainedModel loaded = PretrainedModels.FromBytes(Files(name => name, extra), new LoadOptions { OnWarning = told.Add });
            Assert.That(loaded.Warnings, Has.Count.EqualTo(1));
            Assert.That(loaded.Warnings[0],
                Does.Contain($"{extra.Name} in model.safetensors is [").And.Contain("RobertaForSequenceClassification").And.Contain("--strict"));
            Assert.That(told, Is.EqualTo(loaded.Warnings));
            Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(_model)));
        }
    }

    [Test]
    public void Many_of_them_make_one_warning()
    {
        TensorEntry[] extras = [.. Enumerable.Range(0, 12).Select(i => TensorEntry.Create($"extra.{i}", [1], new float[1]))];
        using PretrainedModel loaded = PretrainedModels.FromBytes(Files(name => name, extras));
        Assert.That(loaded.Warnings.Single(), Does.Contain("these 12").And.Contain("extra.0, ").And.Contain("and 2 more"));
    }

    [Test]
    public void Strict_loading_refuses_what_is_otherwise_warned_of()
    {
        var strict = new LoadOptions { Strict = true, OnWarning = warning => Assert.Fail(warning) };
        Assert.That(() => PretrainedModels.FromBytes(Files(name => name, LossWeight), strict),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("loss_fct.weight"));
        Assert.That(() => PretrainedModels.FromBytes(Files(name => "module." + name), strict),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("begin with module."));
    }

    [TestCase("_orig_mod.")]
    [TestCase("module.")]
    [TestCase("module._orig_mod.")]
    [TestCase("_orig_mod.module.")]
    [TestCase("model.")]
    [TestCase("model.module._orig_mod.")]
    public void What_training_put_before_all_names_is_said_and_taken_off(string prefix)
    {
        using PretrainedModel loaded = PretrainedModels.FromBytes(Files(name => prefix + name));
        Assert.That(loaded.Warnings.Single(), Does.StartWith($"All {_model.Weights.Count} tensor names begin with {prefix} "));
        Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(_model)));
    }

    [Test]
    public void Wrapped_modules_inside_the_model_are_read_too()
    {
        static string Wrap(string name) => name.Replace("encoder.layer.1.", "encoder.layer.1._orig_mod.", StringComparison.Ordinal);
        using PretrainedModel loaded = PretrainedModels.FromBytes(Files(Wrap));
        Assert.That(loaded.Warnings.Single(), Does.Contain("16 of ").And.Contain("roberta.encoder.layer.1._orig_mod."));
        Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(_model)));
    }

    [Test]
    public void A_body_that_was_wrapped_loads_without_its_own_prefix()
    {
        // roberta.embeddings… becomes module.embeddings…, and the head stays away: a RobertaModel's state dict.
        using PretrainedModel body = PretrainedModels.FromConfig<RobertaModel>(Config, seed: 3);
        using PretrainedModel loaded =
            PretrainedModels.FromBytes<RobertaModel>(Files(name => name.Replace("roberta.", "module.", StringComparison.Ordinal), body));
        Assert.That(LogitsOf(loaded), Is.EqualTo(LogitsOf(body)));
    }

    [Test]
    public void A_prefix_that_not_all_names_have_stays_and_the_message_names_it_once()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Files(name => "module." + name, LossWeight);
        CheckpointException? error = Assert.Throws<CheckpointException>(() => PretrainedModels.FromBytes(files));
        Assert.That(error!.Problems[0], Does.Contain("all of them are with module. before it"));
        Assert.That(error.Problems, Has.Count.EqualTo(2), "the other one names which tensors were left");
        Assert.That(error.MissingTensors, Has.Count.EqualTo(_model.Weights.Count));
    }

    [Test]
    public void Weights_of_another_architecture_are_one_problem_and_not_one_for_each_tensor()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Files(name => name.Replace("roberta.", "h.", StringComparison.Ordinal)
            .Replace("dense", "fc", StringComparison.Ordinal).Replace("e", "f", StringComparison.Ordinal));
        CheckpointException? error = Assert.Throws<CheckpointException>(() => PretrainedModels.FromBytes(files));
        Assert.That(error!.Problems[0],
            Does.StartWith("None of the tensors that config.json (roberta) needs is there (roberta.embeddings.word_embeddings.weight, "));
        Assert.That(error.Problems, Has.Count.EqualTo(2));
    }

    [Test]
    public void Some_missing_tensors_are_named_one_by_one()
    {
        Dictionary<string, ReadOnlyMemory<byte>> files = Files(name => name.Contains("layer.1.output", StringComparison.Ordinal) ? name + ".old" : name);
        CheckpointException? error = Assert.Throws<CheckpointException>(() => PretrainedModels.FromBytes(files));
        Assert.That(error!.Problems.Count(problem => problem.Contains("is missing", StringComparison.Ordinal)), Is.EqualTo(4));
    }

    [Test]
    public void Saving_writes_the_plain_names()
    {
        string directory = Directory.CreateTempSubdirectory("models-").FullName;
        try
        {
            using (PretrainedModel wrapped = PretrainedModels.FromBytes(Files(name => "module." + name)))
                wrapped.Save(directory);
            using PretrainedModel loaded = PretrainedModels.Load(directory, new LoadOptions { Strict = true });
            Assert.That(loaded.Weights.Select(weight => weight.Name), Is.EqualTo(_model.Weights.Select(weight => weight.Name)));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void Converting_writes_the_plain_names_and_passes_the_warning_on()
    {
        string directory = Directory.CreateTempSubdirectory("models-").FullName;
        try
        {
            foreach ((string name, ReadOnlyMemory<byte> bytes) in
                Files(name => "_orig_mod." + name, TensorEntry.Create("_orig_mod.loss_fct.weight", [6], new float[6])))
                File.WriteAllBytes(Path.Combine(directory, name), bytes.Span);
            ConversionResult done = CheckpointConverter.Convert(directory, Path.Combine(directory, "converted"));
            Assert.That(done.Warnings, Has.Count.EqualTo(2));
            Assert.That(done.Renamed, Has.Count.EqualTo(_model.Weights.Count + 1));
            using PretrainedModel loaded = PretrainedModels.Load(Path.Combine(directory, "converted"));
            Assert.That(loaded.Weights.Select(weight => weight.Name), Is.EqualTo(_model.Weights.Select(weight => weight.Name)));
            Assert.That(loaded.Warnings.Single(), Does.StartWith("loss_fct.weight"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private Dictionary<string, ReadOnlyMemory<byte>> Files(Func<string, string> rename, params TensorEntry[] extras) => Files(rename, _model, extras);

    private static Dictionary<string, ReadOnlyMemory<byte>> Files(Func<string, string> rename, PretrainedModel model, params TensorEntry[] extras)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream,
            [.. model.Weights.Select(weight => TensorEntry.Create(rename(weight.Name), [.. weight.Shape], weight.ToSingle())), .. extras]);
        return new()
        {
            ["config.json"] = ConfigJson.Write(model.Config with { Architectures = [model.Architecture] }),
            [Checkpoint.SingleFileName] = stream.ToArray(),
        };
    }

    private static float[] LogitsOf(PretrainedModel model)
    {
        using Session session = model.CreateSession();
        return [.. model.Forward(ModelInputs.Of(3, 7, 4, 1, 5), session).NamedTensors().SelectMany(t => t.ToArray())];
    }
}
