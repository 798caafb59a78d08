using System.Text.Json.Nodes;

namespace ManagedTransformers.Diagnostics;


/// <summary>What the comparison of a case gave.</summary>
/// <param name="Name">The case's folder.</param>
/// <param name="Architecture">The class that ran.</param>
/// <param name="Rows">One row per reference tensor.</param>
public sealed record CaseReport(string Name, string Architecture, IReadOnlyList<TensorError> Rows)
{
    /// <summary>Whether every tensor is within the tolerance.</summary>
    public bool Passed => Rows.All(row => row.Passed);
}

/// <summary>A folder with a checkpoint and <c>expected.safetensors</c>: inputs and the outputs that transformers gave for them. Running it says how far this
/// runtime is from the reference, tensor by tensor.</summary>
public static class ReferenceCase
{
    /// <summary>The file of inputs and reference outputs.</summary>
    public const string ExpectedFileName = "expected.safetensors";

    /// <summary>A second call after the inputs of <see cref="ExpectedFileName"/> are in the KV cache; not every case has one.</summary>
    public const string StepFileName = "step.safetensors";

    private static readonly string[] InputNames =
        ["input_ids", "inputs_embeds", "attention_mask", "token_type_ids", "position_ids", "head_mask", "labels", "next_sentence_label"];

    /// <summary>Runs a case's checkpoint on the case's inputs and compares every output that the reference has.</summary>
    /// <param name="caseDirectory">A folder with config.json, expected.safetensors, and weights or their specification (weights.json).</param>
    /// <param name="options">Kernel level and threads.</param>
    /// <param name="tolerance">The largest error, relative to the tensor's largest magnitude, that passes.</param>
    /// <param name="cancellationToken">Ends the rebuilding of weights from their specification.</param>
    /// <exception cref="ConfigException">config.json is bad.</exception>
    /// <exception cref="CheckpointException">The weights or the reference file are bad.</exception>
    /// <exception cref="ModelInputException">The inputs do not fit the model.</exception>
    public static CaseReport Verify(
        string caseDirectory, LoadOptions? options = null, double tolerance = TensorComparison.DefaultTolerance, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(caseDirectory);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(caseDirectory)));
        if (!File.Exists(Path.Combine(caseDirectory, SyntheticCheckpoint.SpecificationFileName)))
            return Verify(name, caseDirectory, caseDirectory, options, tolerance);

        // A case of real size comes as a specification of its weights; the checkpoint is rebuilt for the time of the comparison.
        string rebuilt = Directory.CreateTempSubdirectory("mtx-verify-").FullName;
        try
        {
            SyntheticCheckpoint.Write(caseDirectory, rebuilt, progress: null, cancellationToken);
            return Verify(name, caseDirectory, rebuilt, options, tolerance);
        }
        finally
        {
            Directory.Delete(rebuilt, recursive: true);
        }
    }

    private static CaseReport Verify(string name, string caseDirectory, string modelDirectory, LoadOptions? options, double tolerance)
    {
        using PretrainedModel model = PretrainedModels.Load(modelDirectory, options);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(caseDirectory, ExpectedFileName));
        List<TensorError> rows = [.. Compare(model, file.Weights, tolerance)];
        string stepPath = Path.Combine(caseDirectory, StepFileName);
        if (File.Exists(stepPath))
        {
            using SafetensorsFile step = SafetensorsFile.Open(stepPath);
            rows.AddRange(CompareStep(model, file.Weights, step.Weights, tolerance).Select(row => row with { Name = $"step.{row.Name}" }));
        }
        return new CaseReport(name, model.Architecture, rows);
    }

    /// <summary>Reads a reference file's inputs, runs a second call on another one's, and compares the outputs of that.</summary>
    /// <exception cref="CheckpointException">The step has no output, or the model no KV cache.</exception>
    private static List<TensorError> CompareStep(
        PretrainedModel model, IReadOnlyDictionary<string, Weight> reference, IReadOnlyDictionary<string, Weight> step, double tolerance)
    {
        if (!model.Config.IsCausal)
            throw new CheckpointException($"{StepFileName} continues a text; {model.Architecture} has no KV cache. A decoder is needed, or a case without it.");
        ModelInputs inputs = ForwardFiles.ReadInputs(reference);
        ModelInputs next = ForwardFiles.ReadInputs(step, inputs.SequenceLength);
        Dictionary<string, FloatTensor> outputs = ForwardFiles.Run(model, inputs, next).ToDictionary(tensor => tensor.Name);
        int[]? mask = InputChecks.NewTokensMask(next, inputs.SequenceLength) is { IsEmpty: false } newest ? newest.ToArray() : null;
        return Compare(step, outputs.GetValueOrDefault, next, mask, StepFileName, tolerance);
    }

    /// <summary>Runs a model on a reference file's inputs and compares every output that the file has.</summary>
    /// <param name="model">The model.</param>
    /// <param name="reference">Inputs and expected outputs by name.</param>
    /// <param name="tolerance">The largest relative error that passes.</param>
    /// <exception cref="CheckpointException">The file has no output.</exception>
    /// <exception cref="ModelInputException">Its inputs do not fit the model.</exception>
    public static IReadOnlyList<TensorError> Compare(
        PretrainedModel model, IReadOnlyDictionary<string, Weight> reference, double tolerance = TensorComparison.DefaultTolerance)
    {
        ModelInputs inputs = ForwardFiles.ReadInputs(reference);
        Dictionary<string, FloatTensor> outputs = ForwardFiles.Run(model, inputs).ToDictionary(tensor => tensor.Name);
        var derived = new DerivedOutputs(model, inputs, reference, outputs);
        return Compare(reference, name => outputs.GetValueOrDefault(name) ?? derived.Compute(name), inputs, inputs.AttentionMask, ExpectedFileName, tolerance);
    }

    private static List<TensorError> Compare(IReadOnlyDictionary<string, Weight> reference, Func<string, FloatTensor?> output, ModelInputs inputs,
        IReadOnlyList<int>? mask, string fileName, double tolerance)
    {
        var rows = new List<TensorError>();
        foreach (Weight weight in reference.Values)
        {
            if (InputNames.Contains(weight.Name) || DerivedOutputs.IsInput(weight.Name))
                continue;
            FloatTensor? found = output(weight.Name);
            Func<int, bool>? counts = TensorComparison.RealTokens(weight.Shape, mask, inputs.BatchSize, inputs.SequenceLength);
            rows.Add(found is null
                ? new TensorError(weight.Name, weight.ShapeText, double.NaN, double.NaN, Passed: false, "the model has no such output")
                : TensorComparison.Compare(found, weight, tolerance, counts));
        }
        // All of nothing would pass.
        return rows.Count > 0 ? rows : throw new CheckpointException($"{fileName} holds inputs only ({string.Join(", ", reference.Keys.Take(20))}); " +
            "at least one output to compare with is needed. Export the reference's outputs, too.");
    }
}

/// <summary>Texts or ids as one batch of a model, and what a file of their activations says of them.</summary>
/// <param name="Inputs">The batch: a row for each text, the shorter ones padded on the right.</param>
/// <param name="Metadata">For <see cref="ActivationTrace.Save"/>: <c>texts</c> and <c>tokens</c>, where they are known.</param>
public sealed record TracedTexts(ModelInputs Inputs, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Texts as the pipelines read them, with the special tokens that the model wants around them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="texts">At least one.</param>
    /// <exception cref="ModelInputException">There is no text, or one is empty or too long.</exception>
    public static TracedTexts Of(PretrainedModel model, Tokenizer tokenizer, IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(texts);
        var encoder = new EncoderTexts(model, TokenizerFit.WithSpecialTokens(tokenizer, model.Config));
        int[][] rows = [.. texts.Select(text => encoder.Row(text, advice: "Give a shorter text.").Ids)];
        TracedTexts result = OfIds(model, tokenizer, rows);
        return result with { Metadata = new Dictionary<string, string>(result.Metadata) { ["texts"] = Strings(texts).ToJsonString() } };
    }

    /// <summary>Rows of token ids as they are.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Says what the tokens are; null where there is none.</param>
    /// <param name="rows">At least one, each with at least one id.</param>
    /// <exception cref="ModelInputException">There is no row, or one is empty.</exception>
    public static TracedTexts OfIds(PretrainedModel model, Tokenizer? tokenizer, IReadOnlyList<int[]> rows)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        int pad = model.Config.PadTokenId is int id && (uint)id < (uint)model.Config.VocabSize ? id : 0;
        ModelInputs inputs = rows.Count == 1 ? ModelInputs.Of(rows[0]) : ModelInputs.OfBatch(rows, pad);
        var metadata = new Dictionary<string, string>();
        if (tokenizer is not null)
        {
            IEnumerable<JsonNode> tokens = rows.Select(row => Strings(row.Select(id => tokenizer.IdToToken(id) is null ? "" : tokenizer.Decode([id]))));
            metadata["tokens"] = new JsonArray([.. tokens]).ToJsonString();
        }
        return new TracedTexts(inputs, metadata);
    }

    private static JsonArray Strings(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);
}
