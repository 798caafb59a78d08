using System.Text.RegularExpressions;

namespace ManagedTransformers.Diagnostics;


/// <summary>The activations of one run with the inputs that they are of: from a file that <see cref="ActivationTrace.Save"/> or tools/reference/dump.py wrote,
/// or from a model that runs now.</summary>
/// <example><code>
/// using ActivationSet theirs = ActivationSet.Open("theirs.safetensors");
/// using PretrainedModel model = PretrainedModels.Load(directory);
/// using ActivationSet ours = ActivationSet.Run(model, theirs);
/// TensorError? first = ActivationComparison.Compare(ours, theirs).First;
/// </code></example>
public sealed class ActivationSet : IDisposable
{
    private readonly SafetensorsFile? _file;
    private readonly Dictionary<string, FloatTensor> _tensors = [];

    private ActivationSet(string source, SafetensorsFile file)
    {
        (Source, _file) = (source, file);
        string[]? order = Read<string[]>(
            file, "names", json => [.. json.EnumerateArray().Select(name => name.GetString() ?? throw new FormatException("null is no name"))]);
        // safetensors files have their tensors in alphabetical order, and need not say another.
        Names = [.. (order ?? []).Where(file.Weights.ContainsKey).Distinct().Concat(ActivationOrder.Sort(file.Weights.Keys.Except(order ?? [])))];
        Architecture = Read(file, "architecture", json => json.GetString());
        InputIds = Read(file, "input_ids", Rows);
        AttentionMask = Read(file, "attention_mask", Rows);
        Tokens = Read<string[][]>(
            file, "tokens", json => [.. json.EnumerateArray().Select(row => row.EnumerateArray().Select(token => token.GetString() ?? "").ToArray())]);
        if (AttentionMask is not null && !SameShape(InputIds, AttentionMask))
            throw new CheckpointException($"{source}: input_ids and attention_mask in its metadata have different shapes. " +
                "Write the file again, with mtx trace or tools/reference/dump.py.");
    }

    private ActivationSet(PretrainedModel model, TracedPass pass, ActivationSet inputs)
    {
        (Source, Architecture) = (model.Architecture, model.Architecture);
        (InputIds, AttentionMask, Tokens) = (inputs.InputIds, inputs.AttentionMask, inputs.Tokens);
        Names = [.. pass.Tensors.Select(tensor => tensor.Name)];
        _tensors = pass.Tensors.ToDictionary(tensor => tensor.Name);
    }

    /// <summary>The file, or the class of the model.</summary>
    public string Source { get; }

    /// <summary>The activations' names in execution order; where a file does not say it, by the layers that their names are of.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The class of the model; null where the file does not say it.</summary>
    public string? Architecture { get; }

    /// <summary>Token ids, a row of equal length for each text; null where the file does not say them.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? InputIds { get; }

    /// <summary>1 for tokens, 0 for padding, as <see cref="InputIds"/>; null without padding.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? AttentionMask { get; }

    /// <summary>The tokens as text, as <see cref="InputIds"/> but without the padding of a row's end; null where they are not known.</summary>
    public IReadOnlyList<IReadOnlyList<string>>? Tokens { get; }

    /// <summary>Opens a safetensors file of activations. Its tensors are read when they are asked for.</summary>
    /// <exception cref="CheckpointException">It cannot be read, breaks the format, or its metadata is not what such files hold.</exception>
    public static ActivationSet Open(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        try
        {
            return new ActivationSet(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Runs a model on the inputs of another set, and keeps the activations that the other set has.</summary>
    /// <param name="model">The model.</param>
    /// <param name="like">The other set; names that the model lacks are left out.</param>
    /// <exception cref="ModelInputException">The other set has no ids, or the model cannot take them.</exception>
    /// <exception cref="TraceException">The model has none of its activations.</exception>
    public static ActivationSet Run(PretrainedModel model, ActivationSet like)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(like);
        ModelInputs inputs = like.ToInputs();
        string[] names = [.. like.Names.Intersect(model.ActivationNames)];
        if (names.Length == 0)
            throw new TraceException($"{model.Architecture} has none of the {like.Names.Count} activations in {like.Source} " +
                $"({string.Join(", ", like.Names.Take(3))} …). " +
                $"Its own are called {string.Join(", ", model.ActivationNames.Take(3))} …; docs/tracing.md lists them.");
        var all = new ForwardOptions { ComputePadding = true };
        model.CheckInputs(inputs, past: 0, all);                     // before a cache of the inputs' size is made
        int length = Math.Min(inputs.SequenceLength, model.Config.Positions.MostTokens);
        using Session session = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize, MaxLength = length });
        // What the other set holds bounds what this one does; a shape may differ, hence twice.
        long limit = names.Sum(name => 2 * sizeof(float) * like.CountOf(name));
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = names, MemoryLimit = limit });
        model.Forward(inputs, session, all);
        return new ActivationSet(model, trace.Passes[0], like);
    }

    /// <summary>An activation in float32.</summary>
    /// <exception cref="KeyNotFoundException">There is none of that name.</exception>
    public FloatTensor this[string name] => _file is null ? _tensors[name] : TensorComparison.AsTensor(_file.Weights[name]);

    /// <summary>Whether an activation's elements are whole numbers, which have no tolerance.</summary>
    internal bool IsWhole(string name) => _file is not null && !ForwardFiles.IsReal(_file.Weights[name].Type);

    /// <summary>Which elements of a tensor are of tokens and not of padding.</summary>
    internal Func<int, bool>? RealTokens(FloatTensor tensor) => AttentionMask is null ? null : TensorComparison.RealTokens(
        [.. tensor.Shape.ToArray().Select(size => (long)size)], [.. AttentionMask.SelectMany(row => row)], AttentionMask.Count, AttentionMask[0].Count);

    /// <summary>Lets go of the file.</summary>
    public void Dispose() => _file?.Dispose();

    private long CountOf(string name) => _file is null ? _tensors[name].Length : _file.Weights[name].ElementCount;

    private ModelInputs ToInputs()
    {
        if (InputIds is null)
            throw new ModelInputException($"{Source} does not say which token ids it is of (input_ids in its metadata), so no model can run them. " +
                "Give the activations of your run as a file: mtx trace --ids ….");
        return new ModelInputs(InputIds.Count, InputIds[0].Count)
        {
            InputIds = [.. InputIds.SelectMany(row => row)],
            AttentionMask = AttentionMask is null ? null : [.. AttentionMask.SelectMany(row => row)],
        };
    }

    private static int[][] Rows(JsonElement json)
    {
        int[][] rows = [.. json.EnumerateArray().Select(row => row.EnumerateArray().Select(value => value.GetInt32()).ToArray())];
        return rows.Length > 0 && rows[0].Length > 0 && rows.All(row => row.Length == rows[0].Length)
            ? rows
            : throw new FormatException("rows of equal length, with a number at least, are needed");
    }

    private static bool SameShape(IReadOnlyList<IReadOnlyList<int>>? a, IReadOnlyList<IReadOnlyList<int>> b) =>
        a is not null && a.Count == b.Count && a[0].Count == b[0].Count;

    private static T? Read<T>(SafetensorsFile file, string key, Func<JsonElement, T?> read)
        where T : class
    {
        if (!file.Metadata.TryGetValue(key, out string? text))
            return null;
        try
        {
            byte[] json = System.Text.Encoding.UTF8.GetBytes(text);
            using JsonDocument document = JsonText.Parse(key, json, (message, inner) => new FormatException(message, inner));
            return read(document.RootElement);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new CheckpointException($"{file.Name}: {key} in its metadata is not what files of activations hold ({e.Message}). " +
                "Write the file again, with mtx trace or tools/reference/dump.py.", e);
        }
    }
}

/// <summary>Activations in execution order, by their names alone: for files that do not say it.</summary>
internal static partial class ActivationOrder
{
    private const int Layers = 1, Unknown = 3;

    private static readonly string[] First = ["embeddings", "embed_tokens", "embed_in", "wte", "drop"];

    private static readonly string[] InLayer =
    [
        "ln_1", "input_layernorm", "attn.qkv_proj", "attn.c_attn", "attention.query_key_value", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
        "attn.q_proj", "attn.k_proj", "attn.v_proj", "attention.self.query", "attention.self.key", "attention.self.value",
        "attn.query", "attn.key", "attn.value",
        "attention.query", "attention.key", "attention.value", "self_attn.query", "self_attn.key", "self_attn.value",
        "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.scores", "attention.probabilities", "attention.heads", "attention.head_outputs",
        "attention.out_lin", "attn.scores", "attn.probabilities", "attn.heads", "attn.head_outputs",
        "self_attn.scores", "self_attn.probabilities", "self_attn.heads", "self_attn.head_outputs",
        "attention.self.scores", "attention.self.probabilities", "attention.self.heads",
        "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.scores", "attention.attn.probabilities", "attention.attn.heads",
        "attention.attn.head_outputs", "attention.attn.o", "attention.attn",
        "attention.self", "attention.self.head_outputs", "attn.out_proj", "attn.c_proj", "attn", "self_attn.o_proj", "self_attn", "attention.dense",
        "attention.output.dense", "attention.output", "attention", "ln_2", "post_attention_layernorm",
        "mlp.fc_in", "mlp.c_fc", "mlp.dense_h_to_4h", "mlp.gate_proj", "mlp.act", "mlp.act_fn", "mlp.up_proj",
        "mlp.fc_out", "mlp.c_proj", "mlp.dense_4h_to_h", "mlp.down_proj", "mlp", "intermediate.dense", "intermediate", "output.dense", "output",
        "sa_layer_norm", "ffn.lin1", "ffn.activation", "ffn.lin2", "ffn", "output_layer_norm", "",
    ];

    private static readonly string[] Last =
    [
        "ln_f", "norm", "final_layer_norm", "embed_out", "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head",
        "cls.predictions.transform.dense", "cls.predictions.transform", "cls.predictions.decoder", "cls.predictions", "vocab_transform", "vocab_layer_norm",
        "vocab_projector", "pooler.dense", "pooler",
        "cls.seq_relationship", "pre_classifier", "classifier.dense", "classifier.out_proj", "classifier",
    ];

    /// <summary>The names as a model computes them; unknown ones come last, layer by layer.</summary>
    public static IEnumerable<string> Sort(IEnumerable<string> names) => names.OrderBy(Key).ThenBy(name => name, StringComparer.Ordinal);

    /// <summary>The layer that a name is of; null outside the layers.</summary>
    public static int? LayerOf(string name) => Layer().Match(name) is { Success: true } match ? Number(match.Groups["n"]) : null;

    private static (int Stage, int Layer, int Part) Key(string name)
    {
        if (Layer().Match(name) is { Success: true } match)
        {
            int part = Array.IndexOf(InLayer, match.Groups["part"].Value);
            return (Layers, Number(match.Groups["n"]), part < 0 ? InLayer.Length : part);
        }
        (int first, int last) = (Place(First, name), Place(Last, name));
        return first >= 0 ? (0, 0, first)
            : last >= 0 ? (2, 0, last)
            : (Unknown, Digits().Match(name) is { Success: true } digits ? Number(digits) : 0, 0);
    }

    private static int Number(Group digits) => int.Parse(digits.Value, CultureInfo.InvariantCulture);

    // The longest ending decides: classifier.dense is no pooler.dense, and lm_head.dense no dense.
    private static int Place(string[] endings, string name) =>
        Array.FindIndex(endings, ending => name == ending || name.EndsWith($".{ending}", StringComparison.Ordinal));

    [GeneratedRegex(@"(^|\.)(h|layers?)\.(?<n>\d{1,6})(\.(?<part>.+))?$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Layer();

    [GeneratedRegex(@"(?<=\.)\d{1,6}(?=\.|$)", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Digits();
}
