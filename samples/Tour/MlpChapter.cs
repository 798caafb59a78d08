using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 5: up, GELU, down.</summary>
internal static class MlpChapter
{
    private const string Mlp = "transformer.h.0.mlp";

    public static void Write(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        int[] ids = tokenizer.Encode(Demo.CodeGenText, pair: null, Demo.Plain).Ids;
        using CodeGenForCausalLM model = Demo.CodeGen();
        using ActivationTrace trace = Demo.Trace(model, ModelInputs.Of(ids), "transformer.h.0.ln_1", $"{Mlp}.fc_in", $"{Mlp}.act", $"{Mlp}.fc_out");
        int last = ids.Length - 1;
        float[] before = trace[$"{Mlp}.fc_in"].Row(last).ToArray(), after = trace[$"{Mlp}.act"].Row(last).ToArray();

        page.Begin("mlp-neurons");
        page.Heads("neuron", ["x · w", "bias", "fc_in", "act"]);
        int[] neurons = [0, 1, .. Demo.Best(before, 2), .. Demo.Best([.. before.Select(value => -value)], 1)];
        foreach (int neuron in neurons)
        {
            float[] w = Demo.Weights("demo-codegen", $"{Mlp}.fc_in.weight", neuron);
            float bias = Demo.Weights("demo-codegen", $"{Mlp}.fc_in.bias")[neuron];
            page.Row($"{neuron}", [Demo.Dot(trace["transformer.h.0.ln_1"].Row(last), w), bias, before[neuron], after[neuron]]);
        }
        page.Line($"neurons above 0: {before.Count(value => value > 0)} of {before.Length}");
        double strongest = after.OrderByDescending(Math.Abs).Take(100).Sum(a => (double)a * a), all = after.Sum(a => (double)a * a);
        page.Line($"the strongest 100 of them hold {100 * strongest / all:F1} % of the square sum of act");

        WriteGelu(page);

        float[] row = Demo.Weights("demo-codegen", $"{Mlp}.fc_out.weight", 0);
        float outBias = Demo.Weights("demo-codegen", $"{Mlp}.fc_out.bias")[0];
        double[] shares = [.. after.Select((a, i) => (double)a * row[i])];
        page.Begin("mlp-out");
        page.Line($"act · w, all {after.Length} products of dimension 0  {shares.Sum(),8:F4}");
        page.Line($"bias                                     {outBias,8:F4}");
        page.Line($"fc_out, dimension 0                      {trace[$"{Mlp}.fc_out"].Row(last)[0],8:F4}");
    }

    private static void WriteGelu(Page page)
    {
        page.Begin("mlp-gelu");
        page.Heads("x", ["Φ(x)", "erf", "tanh", " erf−tanh"]);
        float[] x = [-2.5f, -1.5f, -1, -0.5f, 0.5f, 1, 1.5f, 2.5f], exact = new float[x.Length], tanh = new float[x.Length];
        Activations.Run(ActivationFunction.Gelu, x, exact, Demo.Kernels);
        Activations.Run(ActivationFunction.GeluTanh, x, tanh, Demo.Kernels);
        for (int i = 0; i < x.Length; i++)
            page.Line($"{x[i],-16}{exact[i] / x[i],9:F4}{exact[i],9:F4}{tanh[i],9:F4}{exact[i] - tanh[i],10:F5}");
    }
}
