using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 6: LayerNorm, and the stream that every block adds to.</summary>
internal static class ResidualChapter
{
    public static void Write(Page page)
    {
        WriteDecoder(page);
        WriteEncoder(page);
    }

    private static void WriteDecoder(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        int[] ids = tokenizer.Encode(Demo.CodeGenText, pair: null, Demo.Plain).Ids;
        using CodeGenForCausalLM model = Demo.CodeGen();
        using ActivationTrace trace = Demo.Trace(model, ModelInputs.Of(ids), "transformer.drop", "transformer.h.*", "transformer.h.*.ln_1",
            "transformer.h.*.attn", "transformer.h.*.mlp", "transformer.ln_f");
        int last = ids.Length - 1, layers = model.Config.NLayer;
        float[] x = trace["transformer.drop"].Row(last).ToArray();
        float[] weight = Demo.Weights("demo-codegen", "transformer.h.0.ln_1.weight"), bias = Demo.Weights("demo-codegen", "transformer.h.0.ln_1.bias");
        double mean = x.Average(value => (double)value), variance = x.Average(value => (value - mean) * (value - mean));

        page.Begin("residual-layernorm");
        page.Line($"mean     {mean,9:F6}");
        page.Line($"variance {variance,9:F6}");
        page.Line($"1 / √(variance + eps) {1 / Math.Sqrt(variance + model.Config.LayerNormEpsilon):F4}");
        page.Heads("dimension", ["x", "x − mean", "unit", "weight", "bias", "y"]);
        for (int i = 0; i < 3; i++)
            page.Row($"{i}", [x[i], x[i] - mean, (x[i] - mean) / Math.Sqrt(variance + model.Config.LayerNormEpsilon), weight[i], bias[i],
                trace["transformer.h.0.ln_1"].Row(last)[i]], 4);

        (double numerator, double factor) = (Math.Round(x[0] - mean, 4), Math.Round(1 / Math.Sqrt(variance + model.Config.LayerNormEpsilon), 4));
        page.Begin("residual-pencil");
        page.Line($"{numerator:F4} · {factor:F4} = {numerator * factor:F3}");
        double scaled = (Math.Round(numerator * factor, 3) * Math.Round(weight[0], 4)) + Math.Round(bias[0], 4);
        page.Line($"{numerator * factor:F3} · {weight[0]:F4} + ({bias[0]:F4}) = {scaled:F3}");

        page.Begin("residual-sum");
        page.Heads("block", ["x", "attn", "mlp", "x + both", "stream"]);
        for (int layer = 0; layer < layers; layer++)
        {
            string block = $"transformer.h.{layer}", before = layer == 0 ? "transformer.drop" : $"transformer.h.{layer - 1}";
            (double from, double attn, double mlp) = (trace[before].Row(last)[0], trace[$"{block}.attn"].Row(last)[0], trace[$"{block}.mlp"].Row(last)[0]);
            page.Row($"{layer}", [from, attn, mlp, from + attn + mlp, trace[block].Row(last)[0]], 4);
        }

        page.Begin("residual-norms");
        page.Heads("", ["stream", "ln", "attn", "mlp"]);
        page.Row("drop", [Demo.Norm(trace["transformer.drop"].Row(last))], 2);
        for (int layer = 0; layer < layers; layer++)
            page.Row($"h.{layer}", new[] { "", ".ln_1", ".attn", ".mlp" }.Select(part => Demo.Norm(trace[$"transformer.h.{layer}{part}"].Row(last))), 2);
        page.Row("ln_f", [Demo.Norm(trace["transformer.ln_f"].Row(last))], 2);
    }

    private static void WriteEncoder(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-fill-mask");
        int[] ids = tokenizer.Encode(Demo.MaskText).Ids;
        using RobertaForMaskedLM model = Demo.FillMask();
        string[] places = ["attention.output.dense", "attention.output", "output.dense", "output"];
        using ActivationTrace trace =
            Demo.Trace(model, ModelInputs.Of(ids), ["roberta.embeddings", .. places.Select(place => $"roberta.encoder.layer.*.{place}")]);
        const int token = 2;                                     // <mask>
        page.Begin("residual-post");
        page.Heads("layer", ["attn", "after LN", "mlp", "after LN"]);
        page.Row("embeddings", [Demo.Norm(trace["roberta.embeddings"].Row(token))], 2);
        for (int layer = 0; layer < 4; layer++)
            page.Row($"{layer}", places.Select(place => Demo.Norm(trace[$"roberta.encoder.layer.{layer}.{place}"].Row(token))), 2);
    }
}
