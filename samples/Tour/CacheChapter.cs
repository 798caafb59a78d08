using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 8: what is kept of tokens that were read.</summary>
internal static class CacheChapter
{
    public static void Write(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        int[] ids = tokenizer.Encode(Demo.CodeGenText, pair: null, Demo.Plain).Ids;
        string[] tokens = Demo.Tokens(tokenizer, ids);
        using CodeGenForCausalLM model = Demo.CodeGen();
        CodeGenConfig config = model.Config;
        using Session session = model.CreateSession();

        page.Begin("cache-size");
        int perToken = 2 * config.NLayer * config.NHead * config.HeadWidth * sizeof(float);
        page.Line($"one token   2 · {config.NLayer} layers · {config.NHead} heads · {config.HeadWidth} numbers · 4 bytes = {perToken} bytes");
        page.Line($"{config.NPositions} tokens  {perToken * config.NPositions} bytes");

        model.Forward(ids.AsSpan(0, ids.Length - 1), session);
        FloatTensor before = session.Cache!.Keys(0);
        float[] step = model.Step([ids[^1]], [0], session).ToArray();
        FloatTensor after = session.Cache.Keys(0);
        page.Begin("cache-grows");
        page.Line($"keys of layer 0 after {string.Join(' ', tokens[..^1])}: [{string.Join(", ", before.Shape.ToArray())}]");
        page.Line($"keys of layer 0 after {tokens[^1]} as well: [{string.Join(", ", after.Shape.ToArray())}]");
        page.Heads("head 0, k[j][0]", tokens);
        page.Row("before", Column(before));
        page.Row("after", Column(after));

        using Session other = model.CreateSession();
        FloatTensor logits = model.Forward(ids, other).Logits;
        float[] full = logits.Row(ids.Length - 1).ToArray();
        page.Begin("cache-same");
        page.Heads("next token", ["id", "step", "full"]);
        foreach (int id in Demo.Best(full, 3))
            page.Line($"{tokenizer.IdToToken(id),-16}{id,9}{step[id],9:F3}{full[id],9:F3}");
        page.Line($"largest difference of {full.Length} logits: {full.Zip(step, (a, b) => Math.Abs(a - b)).Max()}");

        long weights = (4L * config.NEmbd * config.NEmbd) + (2L * config.InnerWidth * config.NEmbd), head = (long)config.VocabSize * config.NEmbd;
        long weightProducts = (config.NLayer * weights) + head, attention = 2L * config.NLayer * config.NEmbd;
        page.Begin("cache-work");
        page.Line($"products with weights, one token: {config.NLayer} layers · {weights} + head {head} = {weightProducts}");
        page.Line($"products in attention, one token that sees n: {config.NLayer} layers · 2 · {config.NEmbd} · n = {attention} · n");
        page.Line($"token 100, with the cache    {weightProducts + (attention * 100)}");
        page.Line($"token 100, all anew          {(100 * weightProducts) + (attention * 5050)}");
    }

    private static IEnumerable<double> Column(FloatTensor keys) => Enumerable.Range(0, keys.Shape[2]).Select(j => (double)keys[0, 0, j, 0]);
}
