using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 7: from the last hidden state of a mask to words.</summary>
internal static class HeadChapter
{
    public static void Write(Page page)
    {
        const int place = 2;
        Tokenizer tokenizer = Demo.TokenizerOf("demo-fill-mask");
        int[] ids = tokenizer.Encode(Demo.MaskText).Ids;
        using RobertaForMaskedLM model = Demo.FillMask();
        using ActivationTrace trace = Demo.Trace(model, ModelInputs.Of(ids), "roberta.encoder.layer.3", "lm_head.*", "lm_head");

        page.Begin("head-transform");
        page.Heads($"{tokenizer.IdToToken(ids[place])}, position {place}", ["0", "1", "2", "3", "norm"]);
        (string, string)[] stages = [("layer 3", "roberta.encoder.layer.3"), ("dense", "lm_head.dense"), ("gelu, LayerNorm", "lm_head.layer_norm")];
        foreach ((string label, string name) in stages)
        {
            float[] row = trace[name].Row(place).ToArray();
            page.Row(label, [.. row[..4].Select(x => (double)x), Demo.Norm(row)]);
        }

        float[] logits = trace["lm_head"].Row(place).ToArray(), p = Demo.Probabilities(logits), transformed = trace["lm_head.layer_norm"].Row(place).ToArray();
        float[] bias = Demo.Weights("demo-fill-mask", "lm_head.bias");
        page.Begin("head-answers");
        page.Heads("token", ["id", "y · e", "bias", "logit", "p"]);
        foreach (int id in Demo.Best(logits, 5))
        {
            float[] embedding = Demo.Weights("demo-fill-mask", "roberta.embeddings.word_embeddings.weight", id);
            page.Line($"{tokenizer.IdToToken(id),-16}{id,9}{Demo.Dot(transformed, embedding),9:F3}{bias[id],9:F3}{logits[id],9:F3}{p[id],9:F4}");
        }
        double max = logits.Max();
        page.Begin("head-softmax");
        double sum = logits.Sum(x => Math.Exp(x - max));
        int second = Demo.Best(logits, 2)[1];
        page.Line($"sum of exp(logit − {max:F3}) over all {logits.Length} tokens: {sum:F4}");
        page.Line($"best:   1 / {sum:F4} = {1 / sum:F4}");
        page.Line($"second: exp({logits[second]:F3} − {max:F3}) / {sum:F4} = {Math.Exp(logits[second] - max) / sum:F4}");
    }
}
