using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 2: a learned vector per token and per place (RoBERTa), and places as rotations (CodeGen).</summary>
internal static class EmbeddingsChapter
{
    private const int Shown = 4;

    public static void Write(Page page)
    {
        WriteLearned(page);
        WriteRotary(page);
    }

    private static void WriteLearned(Page page)
    {
        const string model = "demo-fill-mask", prefix = "roberta.embeddings";
        Tokenizer tokenizer = Demo.TokenizerOf(model);
        TokenEncoding encoding = tokenizer.Encode(Demo.MaskText);
        using RobertaForMaskedLM roberta = Demo.FillMask();
        using ActivationTrace trace = Demo.Trace(roberta, ModelInputs.Of(encoding.Ids), prefix);

        page.Begin("embeddings-positions");
        page.Line($"{"token",-10} {"id",5} {"position",9}");
        for (int i = 0; i < encoding.Length; i++)
            page.Line($"{tokenizer.IdToToken(encoding.Ids[i]),-10} {encoding.Ids[i],5} {i + 2,9}");

        const int token = 1;                                     // "import"
        float[] word = Demo.Weights(model, $"{prefix}.word_embeddings.weight", encoding.Ids[token]);
        float[] position = Demo.Weights(model, $"{prefix}.position_embeddings.weight", token + 2);
        float[] type = Demo.Weights(model, $"{prefix}.token_type_embeddings.weight");
        float[] sum = [.. word.Select((x, i) => x + type[i] + position[i])];
        page.Begin("embeddings-sum");
        page.Heads("dimension", ["0", "1", "2", "3"]);
        page.Row("word", word.AsSpan(0, Shown), 5);
        page.Row("segment", type.AsSpan(0, Shown), 5);
        page.Row("position", position.AsSpan(0, Shown), 5);
        page.Row("sum", sum.AsSpan(0, Shown), 5);
        page.Row("LayerNorm", trace[prefix].Row(token)[..Shown], 4);
    }

    private static void WriteRotary(Page page)
    {
        const string attn = "transformer.h.0.attn";
        using CodeGenForCausalLM model = Demo.CodeGen();
        int[] ids = Demo.TokenizerOf("demo-codegen").Encode(Demo.CodeGenText, pair: null, Demo.Plain).Ids;
        using ActivationTrace trace = Demo.Trace(model, ModelInputs.Of(ids), $"{attn}.qkv_proj", $"{attn}.query", $"{attn}.key");

        const int at = 3;                                        // the token's position
        ReadOnlySpan<float> before = trace[$"{attn}.qkv_proj"].Row(at), after = trace[$"{attn}.query"].Row(at);     // head 0 comes first in both
        page.Begin("embeddings-rotary");
        page.Heads($"position {at}", ["angle", "cos", "sin", "a", "b", "a'", "b'"]);
        foreach (int pair in new[] { 0, 1, 12 })
        {
            double angle = at * Math.Pow(10000, -2.0 * pair / model.Config.RotaryDim!.Value);
            page.Row($"pair {pair}",
                [angle, Math.Cos(angle), Math.Sin(angle), before[2 * pair], before[(2 * pair) + 1], after[2 * pair], after[(2 * pair) + 1]], 4);
        }
        page.Row("dimension 32", [before[32], after[32]], 4);

        (double a, double b, double cos, double sin) =
            (Math.Round(before[0], 4), Math.Round(before[1], 4), Math.Round(Math.Cos(at), 4), Math.Round(Math.Sin(at), 4));
        page.Begin("embeddings-pencil");
        page.Line($"a' = a cos − b sin = {a:F4} · ({cos:F4}) − {b:F4} · {sin:F4} = {(a * cos) - (b * sin):F4}");
        page.Line($"b' = b cos + a sin = {b:F4} · ({cos:F4}) + {a:F4} · {sin:F4} = {(b * cos) + (a * sin):F4}");

        const int earlier = 1;
        int keyOffset = 2 * model.Config.HeadWidth;              // [query | value | key] of the first block, one head wide
        (double q0, double q1) = (before[0], before[1]);
        (double k0, double k1) = (trace[$"{attn}.qkv_proj"].Row(earlier)[keyOffset], trace[$"{attn}.qkv_proj"].Row(earlier)[keyOffset + 1]);
        ReadOnlySpan<float> key = trace[$"{attn}.key"].Row(earlier);
        page.Begin("embeddings-distance");
        page.Line($"q at position 3, before rotation   ({q0:F3}, {q1:F3})");
        page.Line($"k at position 1, before rotation   ({k0:F3}, {k1:F3})");
        page.Line($"q' · k', both rotated               {(after[0] * key[0]) + (after[1] * key[1]):F3}");
        page.Line($"cos 2 · (q · k) + sin 2 · (q × k)   {(Math.Cos(2) * ((q0 * k0) + (q1 * k1))) + (Math.Sin(2) * ((q0 * k1) - (q1 * k0))):F3}");
    }
}
