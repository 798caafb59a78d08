using ManagedTransformers.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Parity;

/// <summary>What a trace keeps is what the reference has under other names, and what the modules' weights make of each other.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class TraceParityTests
{
    private static IEnumerable<TestCaseData> Cases() =>
        from directory in Directory.EnumerateDirectories(Repository.Reference("models")).Concat(Directory.EnumerateDirectories(Repository.Data("parity")))
            .Order(StringComparer.Ordinal)
        from level in KernelDispatch.Supported
        select new TestCaseData(directory, level).SetArgDisplayNames(Path.GetFileName(directory), level.ToString());

    [TestCaseSource(nameof(Cases))]
    public void Residual_stream_probabilities_keys_and_values_are_those_of_transformers(string directory, KernelLevel level)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, ReferenceCase.ExpectedFileName));
        using PretrainedModel model = PretrainedModels.Load(directory, new LoadOptions { Kernels = new KernelOptions { Level = level } });
        ActivationTrace trace = Run(model, file.Weights, out ModelInputs inputs);
        int compared = 0;
        foreach (Weight weight in file.Weights.Values)
        {
            if (NameOf(weight.Name, model) is not string name || (name.EndsWith(".wte", StringComparison.Ordinal) && inputs.InputsEmbeds is not null))
                continue;
            // What padding attends to differs between frameworks where everything is masked.
            TensorError error = TensorComparison.Compare(trace[name], weight, TensorComparison.DefaultTolerance,
                TensorComparison.RealTokens(weight.Shape, inputs.AttentionMask, inputs.BatchSize, inputs.SequenceLength));
            Assert.That(error.Passed, $"{name}: {error}");
            compared++;
        }
        Assert.That(compared, Is.GreaterThanOrEqualTo(1));
    }

    private static ActivationTrace Run(PretrainedModel model, IReadOnlyDictionary<string, Weight> reference, out ModelInputs inputs)
    {
        inputs = ForwardFiles.ReadInputs(reference);
        using Session session = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize, MaxLength = inputs.SequenceLength });
        ActivationTrace trace = session.Trace(new TraceOptions { Names = ["**", "**.head_outputs"] });
        model.Forward(inputs, session, new ForwardOptions { ComputePadding = true });
        return trace;
    }

    /// <summary>The activation behind a name of transformers' outputs.</summary>
    private static string? NameOf(string output, PretrainedModel model)
    {
        string[] parts = output.Split('.');
        (ModulePaths paths, int layers) = (model.Paths, model.Config.Layers);
        string last = !model.Config.IsCausal ? paths.Layer(layers - 1) : model.ActivationNames[^(model is ICausalLM ? 2 : 1)];     // the final norm
        return parts[0] switch
        {
            "hidden_states" when parts[1] == "0" => paths.Embeddings,
            "hidden_states" => int.Parse(parts[1]) == layers ? last : paths.Layer(int.Parse(parts[1]) - 1),
            "attentions" => $"{paths.Attention(int.Parse(parts[1]))}.probabilities",
            "past_key_values" => $"{paths.Attention(int.Parse(parts[1]))}.{parts[2]}",
            "last_hidden_state" => last,
            "pooler_output" => $"{ModelFamilies.All.First(family => family.ModelType == model.Config.ModelType).BaseModelPrefix}.pooler",
            "logits" or "prediction_logits" => output == "logits" ? model.ActivationNames[^1] : "cls.predictions",
            "seq_relationship_logits" => "cls.seq_relationship",
            _ => null,
        };
    }

    [TestCaseSource(nameof(Cases))]
    public void What_is_tapped_as_a_linear_layer_is_its_product_and_nothing_after_it(string directory, KernelLevel level)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, ReferenceCase.ExpectedFileName));
        using PretrainedModel model = PretrainedModels.Load(directory, new LoadOptions { Kernels = new KernelOptions { Level = level } });
        ActivationTrace trace = Run(model, file.Weights, out _);
        int compared = 0;
        foreach ((string module, string input) in Linears(model))
        {
            float[] weight = Find(model, $"{module}.weight") ?? throw new InvalidDataException($"{directory} has no {module}.weight");
            AssertClose(trace[module], Product(Merged(trace[input]), weight, Find(model, $"{module}.bias")), module);
            compared++;
        }
        Assert.That(compared, Is.GreaterThanOrEqualTo(4 * model.Config.Layers));
    }

    /// <summary>A weight under its module path; files may leave out the model's prefix.</summary>
    private static float[]? Find(PretrainedModel model, string name)
    {
        string bare = name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
        Weight? weight = model.Weights.FirstOrDefault(weight => weight.Name == name || weight.Name == bare);
        if (weight is null || model.Config is not GPT2Config || weight.Shape.Count < 2)
            return weight?.ToSingle();
        // Conv1D has [in, out].
        (int rows, int columns, float[] stored) = ((int)weight.Shape[0], (int)weight.Shape[1], weight.ToSingle());
        return [.. Enumerable.Range(0, stored.Length).Select(i => stored[(i % rows * columns) + (i / rows)])];
    }

    /// <summary>Linear layers, and the activations that go into them.</summary>
    private static IEnumerable<(string Module, string Input)> Linears(PretrainedModel model)
    {
        ModulePaths paths = model.Paths;
        for (int n = 0; n < model.Config.Layers; n++)
        {
            string layer = paths.Layer(n), before = n == 0 ? paths.Embeddings : paths.Layer(n - 1), heads = $"{paths.Attention(n)}.heads";
            foreach ((string module, string input) in model.Config switch
            {
                CodeGenConfig =>
                    [("attn.qkv_proj", $"{layer}.ln_1"), ("attn.out_proj", heads), ("mlp.fc_in", $"{layer}.ln_1"), ("mlp.fc_out", $"{layer}.mlp.act")],
                GPTNeoXConfig =>
                [
                    ("attention.query_key_value", $"{layer}.input_layernorm"), ("attention.dense", heads),
                    ("mlp.dense_h_to_4h", $"{layer}.post_attention_layernorm"), ("mlp.dense_4h_to_h", $"{layer}.mlp.act"),
                ],
                GPTBigCodeConfig =>
                    [("attn.c_attn", $"{layer}.ln_1"), ("attn.c_proj", heads), ("mlp.c_fc", $"{layer}.ln_2"), ("mlp.c_proj", $"{layer}.mlp.act")],
                LlamaConfig =>
                [
                    ("self_attn.q_proj", $"{layer}.input_layernorm"), ("self_attn.k_proj", $"{layer}.input_layernorm"),
                    ("self_attn.v_proj", $"{layer}.input_layernorm"), ("self_attn.o_proj", heads),
                    ("mlp.gate_proj", $"{layer}.post_attention_layernorm"), ("mlp.up_proj", $"{layer}.post_attention_layernorm"),
                ],
                GPTJConfig =>
                [
                    ("attn.q_proj", $"{layer}.ln_1"), ("attn.k_proj", $"{layer}.ln_1"), ("attn.v_proj", $"{layer}.ln_1"), ("attn.out_proj", heads),
                    ("mlp.fc_in", $"{layer}.ln_1"), ("mlp.fc_out", $"{layer}.mlp.act"),
                ],
                GPT2Config =>
                    [("attn.c_attn", $"{layer}.ln_1"), ("attn.c_proj", heads), ("mlp.c_fc", $"{layer}.ln_2"), ("mlp.c_proj", $"{layer}.mlp.act")],
                MPNetConfig =>
                [
                    ("attention.attn.q", before), ("attention.attn.k", before), ("attention.attn.v", before), ("attention.attn.o", heads),
                    ("intermediate.dense", $"{layer}.attention"), ("output.dense", $"{layer}.intermediate"),
                ],
                DistilBertConfig =>
                [
                    ("attention.q_lin", before), ("attention.k_lin", before), ("attention.v_lin", before), ("attention.out_lin", heads),
                    ("ffn.lin1", $"{layer}.sa_layer_norm"), ("ffn.lin2", $"{layer}.ffn.activation"),
                ],
                _ => ((string, string)[])
                [
                    ("attention.self.query", before), ("attention.self.key", before), ("attention.self.value", before), ("attention.output.dense", heads),
                    ("intermediate.dense", $"{layer}.attention.output"), ("output.dense", $"{layer}.intermediate"),
                ],
            })
            {
                yield return ($"{layer}.{module}", input);
            }
        }
        foreach (string first in (string[])["cls.predictions.transform.dense", "lm_head.dense", "vocab_transform"])
        {
            if (model.ActivationNames.Contains(first))
                yield return (first, paths.Layer(model.Config.Layers - 1));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Head_outputs_and_the_bias_add_up_to_the_output_projection(string directory, KernelLevel level)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(directory, ReferenceCase.ExpectedFileName));
        using PretrainedModel model = PretrainedModels.Load(directory, new LoadOptions { Kernels = new KernelOptions { Level = level } });
        ActivationTrace trace = Run(model, file.Weights, out _);
        FloatTensor shares = trace[$"{model.Paths.Attention(0)}.head_outputs"];
        string projection = Linears(model).First(linear => linear.Input == $"{model.Paths.Attention(0)}.heads").Module;
        float[]? bias = Find(model, $"{projection}.bias");
        (int rows, int heads, int width, int hidden) = (shares.Shape[0], shares.Shape[1], shares.Shape[2], shares.Shape[3]);
        double[] sums = new double[rows * width * hidden];
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] = bias?[i % hidden] ?? 0;
            for (int head = 0; head < heads; head++)
                sums[i] += shares[i / (width * hidden), head, i / hidden % width, i % hidden];
        }
        AssertClose(trace[projection], sums, projection);
    }

    /// <summary>[batch, heads, sequence, head_dim] as [batch · sequence, heads · head_dim]; other tensors as rows.</summary>
    private static float[][] Merged(FloatTensor x)
    {
        if (x.Rank < 4)
            return [.. Enumerable.Range(0, x.Length / x.Shape[^1]).Select(row => x.Row(row).ToArray())];
        (int heads, int width) = (x.Shape[1], x.Shape[2]);
        return [.. Enumerable.Range(0, x.Shape[0] * width).Select(i =>
            Enumerable.Range(0, heads).SelectMany(head => x.Row((((i / width) * heads) + head) * width + (i % width)).ToArray()).ToArray())];
    }

    private static double[] Product(float[][] x, float[] weight, float[]? bias)
    {
        int k = x[0].Length, n = weight.Length / k;
        double[] y = new double[x.Length * n];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = bias?[i % n] ?? 0;
            for (int p = 0; p < k; p++)
                y[i] += (double)x[i / n][p] * weight[(i % n * k) + p];
        }
        return y;
    }

    private static void AssertClose(FloatTensor found, double[] expected, string name)
    {
        Assert.That(found.Length, Is.EqualTo(expected.Length), name);
        double magnitude = expected.Max(Math.Abs), worst = expected.Zip(found.ToArray(), (a, b) => Math.Abs(a - b)).Max();
        Assert.That(worst, Is.LessThanOrEqualTo(1e-5 * magnitude), name);
    }
}
