using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 4: what a token may not see.</summary>
internal static class MasksChapter
{
    public static void Write(Page page)
    {
        WriteCausal(page);
        WritePadding(page);
    }

    private static void WriteCausal(Page page)
    {
        const string attn = "transformer.h.0.attn";
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        int[] ids = tokenizer.Encode(Demo.CodeGenText, pair: null, Demo.Plain).Ids;
        string[] tokens = Demo.Tokens(tokenizer, ids);
        using CodeGenForCausalLM model = Demo.CodeGen();
        using ActivationTrace trace = Demo.Trace(model, ModelInputs.Of(ids), $"{attn}.scores", $"{attn}.probabilities");
        FloatTensor scores = trace[$"{attn}.scores"];
        foreach ((string id, string name) in new[] { ("masks-scores", "scores"), ("masks-probabilities", "probabilities") })
        {
            page.Begin(id);
            page.Heads("query \\ key", tokens);
            for (int i = 0; i < ids.Length; i++)
                page.Row(tokens[i], trace[$"{attn}.{name}"].Row(i));
        }

        // What another number in place of −∞ would do to the row of the second token.
        (double first, double second) = (scores[0, 0, 1, 0], scores[0, 0, 1, 1]);
        page.Begin("masks-zero");
        page.Heads("masked score", [tokens[0], tokens[1], "hidden"]);
        foreach (double masked in new[] { 0, -10, double.NegativeInfinity })
        {
            double[] exp = [Math.Exp(first), Math.Exp(second), (ids.Length - 2) * Math.Exp(masked)];
            page.Row(double.IsInfinity(masked) ? "−∞" : $"{masked}", exp.Select(e => e / exp.Sum()), 5);
        }
    }

    private static void WritePadding(Page page)
    {
        const string self = "roberta.encoder.layer.0.attention.self";
        Tokenizer tokenizer = Demo.TokenizerOf("demo-fill-mask");
        int[][] rows = [tokenizer.Encode(Demo.MaskText).Ids, tokenizer.Encode("import os").Ids];
        ModelInputs inputs = ModelInputs.OfBatch(rows, tokenizer.TokenToId("<pad>")!.Value);
        int width = inputs.SequenceLength;
        using RobertaForMaskedLM model = Demo.FillMask();
        using ActivationTrace trace = Demo.Trace(model, inputs, new ForwardOptions { ComputePadding = true }, $"{self}.scores",
            $"{self}.probabilities", "lm_head");
        page.Begin("masks-padding");
        page.Heads("input_ids", inputs.InputIds![width..].Select(id => $"{id}"));
        page.Heads("attention_mask", inputs.AttentionMask![width..].Select(mask => $"{mask}"));
        page.Heads("token", Demo.Tokens(tokenizer, inputs.InputIds![width..]));
        // [2, heads, width, width]: row 1, head 0, query 1
        int at = (model.Config is BertConfig config ? config.NumAttentionHeads : 0) * width + 1;
        page.Row("score", trace[$"{self}.scores"].Row(at));
        page.Row("p", trace[$"{self}.probabilities"].Row(at));

        using ActivationTrace alone = Demo.Trace(model, ModelInputs.Of(rows[1]), "lm_head");
        float largest = 0;
        for (int token = 0; token < rows[1].Length; token++)
        {
            Span<float> inBatch = trace["lm_head"].Row(width + token), byItself = alone["lm_head"].Row(token);
            for (int i = 0; i < inBatch.Length; i++)
                largest = Math.Max(largest, Math.Abs(inBatch[i] - byItself[i]));
        }
        page.Begin("masks-alone");
        page.Line($"largest difference of a logit, in the batch and alone: {largest}");
    }
}
