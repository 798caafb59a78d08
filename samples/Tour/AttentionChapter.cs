using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 3: one query of one head.</summary>
internal static class AttentionChapter
{
    private const string Attn = "transformer.h.0.attn";
    private const int Head = 0;

    public static void Write(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        int[] ids = tokenizer.Encode(Demo.CodeGenText, pair: null, Demo.Plain).Ids;
        string[] tokens = Demo.Tokens(tokenizer, ids);
        using CodeGenForCausalLM model = Demo.CodeGen();
        using ActivationTrace trace = Demo.Trace(model, ModelInputs.Of(ids), $"{Attn}.query", $"{Attn}.key", $"{Attn}.value", $"{Attn}.scores",
            $"{Attn}.probabilities", $"{Attn}.heads");
        int last = ids.Length - 1, dim = model.Config.HeadWidth;

        FloatTensor query = trace[$"{Attn}.query"], key = trace[$"{Attn}.key"];         // [1, heads, tokens, head_dim]
        Span<float> q = query.Row((Head * ids.Length) + last);
        page.Begin("attention-query");
        page.Heads("", [.. Enumerable.Range(0, 6).Select(d => $"d = {d}")]);
        page.Row("q", q[..6]);
        page.Row("k[0]", key.Row(Head * ids.Length)[..6]);
        double[] products = [.. Enumerable.Range(0, dim).Select(d => (double)query[0, Head, last, d] * key[0, Head, 0, d])];
        page.Row("q · k[0]", products[..6]);
        page.Line($"sum of the first 6 products    {products[..6].Sum(),9:F3}");
        page.Line($"sum of all {dim}                 {products.Sum(),9:F3}");
        page.Line($"divided by √{dim} = {Math.Sqrt(dim):F0}           {products.Sum() / Math.Sqrt(dim),9:F3}");

        float[] scores = trace[$"{Attn}.scores"].Row((Head * ids.Length) + last).ToArray();
        float[] p = trace[$"{Attn}.probabilities"].Row((Head * ids.Length) + last).ToArray();
        double max = scores.Max();
        page.Begin("attention-scores");
        page.Heads("key j", [.. Enumerable.Range(0, ids.Length).Select(j => j.ToString())]);
        page.Heads("token", tokens);
        page.Row("score", scores);
        page.Row("score − max", scores.Select(s => s - max));
        page.Row("exp", scores.Select(s => Math.Exp(s - max)), 4);
        page.Row("p", p, 4);
        page.Line($"sum of the exp {scores.Sum(s => Math.Exp(s - max)):F4}");

        // The same with the rounded numbers above.
        double[] e = [.. scores.Select(s => Math.Round(Math.Exp(Math.Round(s - max, 3)), 3))];
        page.Begin("attention-pencil");
        page.Line($"exp({scores[1] - max:F3}) = {e[1]:F3}");
        page.Line($"{string.Join(" + ", e.Select(one => one.ToString("F3")))} = {e.Sum():F3}");
        page.Line($"{e[1]:F3} / {e.Sum():F3} = {e[1] / e.Sum():F3}");

        FloatTensor value = trace[$"{Attn}.value"], heads = trace[$"{Attn}.heads"];
        page.Begin("attention-mix");
        page.Heads("", ["p", "v[j][0]", "p · v"]);
        for (int j = 0; j < ids.Length; j++)
            page.Row($"{j} {tokens[j]}", [p[j], value[0, Head, j, 0], p[j] * (double)value[0, Head, j, 0]], 4);
        page.Row("output[0]", [heads[0, Head, last, 0]], 4);

        page.Begin("attention-heads");
        page.Heads("head", tokens);
        for (int head = 0; head < model.Config.NHead; head++)
            page.Row($"{head}", trace[$"{Attn}.probabilities"].Row((head * ids.Length) + last));
    }
}
