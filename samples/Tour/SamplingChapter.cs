using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 9: from scores to one token.</summary>
internal static class SamplingChapter
{
    private const string Prompt = "import";

    public static void Write(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        int[] ids = tokenizer.Encode(Prompt, pair: null, Demo.Plain).Ids;
        using CodeGenForCausalLM model = Demo.CodeGen();
        using Session session = model.CreateSession();
        float[] logits = model.Forward(ids, session).Logits.Row(ids.Length - 1).ToArray();
        int[] best = Demo.Best(logits, 6);

        var asItIs = new GenerationOptions { DoSample = true, TopK = 0 };
        (string Label, GenerationOptions Options)[] settings =
        [
            ("as it is", asItIs),
            ("temperature 0.5", asItIs with { Temperature = 0.5 }),
            ("temperature 2", asItIs with { Temperature = 2 }),
            ("top-k 3", asItIs with { TopK = 3 }),
            ("top-p 0.8", asItIs with { TopP = 0.8 }),
        ];
        page.Begin("sampling-warpers");
        page.Heads("", Demo.Tokens(tokenizer, best));
        page.Row("logit", best.Select(id => (double)logits[id]));
        foreach ((string label, GenerationOptions options) in settings)
        {
            float[] scores = [.. logits];
            foreach (LogitsProcessor warper in options.CreateLogitsProcessors(ids.Length, ids.Length + 1, session.Kernels))
                warper.Process(ids, scores);
            float[] p = Demo.Probabilities(scores);
            page.Row(label, best.Select(id => (double)p[id]), 4);
        }

        float[] chosen = Demo.Probabilities(logits);
        double difference = Math.Round(logits[best[0]], 3) - Math.Round(logits[best[1]], 3);
        page.Begin("sampling-pencil");
        page.Line($"exp({logits[best[0]]:F3} − {logits[best[1]]:F3}) = exp({difference:F3}) = {Math.Exp(difference):F3}");
        page.Line($"{chosen[best[0]]:F4} / {chosen[best[1]]:F4} = {chosen[best[0]] / chosen[best[1]]:F3}");
        page.Line($"temperature 2: exp({difference:F3} / 2) = {Math.Exp(difference / 2):F3}");

        page.Begin("sampling-entropy");
        foreach (double temperature in new[] { 0.5, 1, 2 })
        {
            double entropy = Entropy(logits, temperature);
            page.Line($"temperature {temperature,-3} entropy {entropy:F3} bits, as undecided as {Math.Pow(2, entropy),6:F1} equal tokens");
        }

        page.Begin("sampling-nucleus");
        double together = 0;
        foreach (int id in best)
            page.Line($"{tokenizer.IdToToken(id),-8} p {chosen[id]:F4}  together {together += chosen[id]:F4}");

        using TextGenerator generator = TextGenerator.Create(model, tokenizer);
        page.Begin("sampling-seeds");
        page.Line($"{"greedy",-8}{Shown(generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = 5, DoSample = false }))}");
        foreach (int seed in new[] { 1, 2, 3, 1 })
        {
            var options = new GenerationOptions { MaxNewTokens = 5, DoSample = true, TopP = 0.8, TopK = 0, Seed = seed };
            page.Line($"seed {seed,-3}{Shown(generator.Generate(Prompt, options))}");
        }
    }

    private static double Entropy(float[] logits, double temperature)
    {
        float[] p = Demo.Probabilities([.. logits.Select(x => (float)(x / temperature))]);
        return p.Where(x => x > 0).Sum(x => -(double)x * Math.Log2(x));
    }

    private static string Shown(string text) => text.Replace("\n", "⏎", StringComparison.Ordinal);
}
