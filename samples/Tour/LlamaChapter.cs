using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 11: the same block three years later, in a Llama as wide as a small CodeGen.</summary>
internal static class LlamaChapter
{
    private const string Layer = "model.layers.0", Before = "model.embed_tokens", Text = "x = 12345";

    private static readonly int[] s_ids = [17, 42, 99, 5];
    private static readonly string s_codeGen = Case("codegen-mono"), s_llama = Case("llama-gqa-tied-left-padded"), s_llama3 = Case("llama-rope-llama3");

    public static void Write(Page page)
    {
        using var codeGen = PretrainedModels.Load<ICausalLM>(s_codeGen, Demo.Load);
        using var llama = PretrainedModels.Load<ICausalLM>(s_llama, Demo.Load);
        WriteSizes(page, (PretrainedModel)codeGen, (PretrainedModel)llama);
        using Session session = llama.CreateSession();
        using ActivationTrace trace = session.Trace([Before, $"{Layer}*", $"{Layer}.**"]);
        llama.Forward(s_ids, session);
        WriteNorm(page, trace);
        WriteRotary(page, trace);
        WriteScaling(page);
        WriteHeads(page, session.Cache!.Keys(0));
        WriteBlock(page, trace);
        WriteGate(page, trace);
        WriteTokens(page);
    }

    private static void WriteSizes(Page page, PretrainedModel codeGen, PretrainedModel llama)
    {
        page.Begin("llama-sizes");
        page.Heads("", ["CodeGen", "Llama"]);
        Row("width", model => model.Config.HiddenWidth);
        Row("heads", model => model.Config.Heads);
        Row("key-value heads", model => model.Config.KeyValueHeads);
        Row("numbers a head", model => model.Config.HeadWidth);
        Row("inner width", model => (int)Tensor(model, "fc_in.weight", "gate_proj.weight").Shape[0]);
        Row("inner matrices", model => model.Weights.Count(weight => weight.Name.Contains(".0.mlp.", StringComparison.Ordinal) && weight.Shape.Count == 2));
        Row("biases", model => model.Weights.Count(weight => weight.Name.EndsWith(".bias", StringComparison.Ordinal)));
        Row("head's tensors", model => model.Weights.Count(weight => weight.Name.StartsWith("lm_head", StringComparison.Ordinal)));

        void Row(string label, Func<PretrainedModel, int> count) => page.Row(label, [count(codeGen), count(llama)], decimals: 0);

        static Weight Tensor(PretrainedModel model, params string[] ends) =>
            model.Weights.First(weight => ends.Any(end => weight.Name.EndsWith(end, StringComparison.Ordinal)));
    }

    private static void WriteNorm(Page page, ActivationTrace trace)
    {
        float[] x = Last(trace[Before]), y = Last(trace[$"{Layer}.input_layernorm"]), weight = Numbers(s_llama, $"{Layer}.input_layernorm.weight");
        double mean = x.Average(value => (double)value), square = x.Average(value => (double)value * value);
        page.Begin("llama-norm");
        page.Line($"mean of x        {mean,8:F4}   (not taken off)");
        page.Line($"mean of x²       {square,8:F4}");
        page.Line($"1 / √(mean + eps){1 / Math.Sqrt(square + 1e-3),8:F4}");
        page.Heads("dimension", ["x", "unit", "weight", "y"]);
        for (int i = 0; i < 3; i++)
            page.Row($"{i}", [x[i], x[i] / Math.Sqrt(square + 1e-3), weight[i], y[i]], 4);
    }

    private static void WriteRotary(Page page, ActivationTrace trace)
    {
        const int Position = 3, Half = 4;
        FloatTensor plain = trace[$"{Layer}.self_attn.q_proj"], turned = trace[$"{Layer}.self_attn.query"];        // [1, 4, 64], [1, 8, 4, 8]
        float[] q = plain.Row(Position).ToArray()[..(2 * Half)];
        page.Begin("llama-rotary");
        page.Heads("pair", ["angle", "q[i]", "q[i + 4]", "turned", "turned", "traced", "traced"]);
        for (int i = 0; i < Half; i++)
        {
            double angle = Position * Math.Pow(500000, -i / (double)Half), cos = Math.Cos(angle), sin = Math.Sin(angle);
            page.Row($"{i}, {i + Half}", [angle, q[i], q[i + Half], (q[i] * cos) - (q[i + Half] * sin), (q[i + Half] * cos) + (q[i] * sin),
                turned[0, 0, Position, i], turned[0, 0, Position, i + Half]]);
        }
    }

    private static void WriteScaling(Page page)
    {
        using var model = PretrainedModels.Load<ICausalLM>(s_llama3, Demo.Load);
        using Session session = model.CreateSession();
        using ActivationTrace trace = session.Trace([$"{Layer}.self_attn.q_proj", $"{Layer}.self_attn.query"]);
        model.Forward([1, 2], session);
        page.Begin("llama-scaling");
        page.Heads("pair", ["turns in", "band", "slower", "angle", "measured"]);
        for (int i = 0; i < 4; i++)
        {
            double frequency = Math.Pow(10000, -i / 8.0), wave = 2 * Math.PI / frequency;
            // low_freq_factor 1, high_freq_factor 4, original_max_position_embeddings 64, factor 8
            double kept = Math.Clamp(((64 / wave) - 1) / 3, 0, 1), scaled = (kept * frequency) + ((1 - kept) * frequency / 8);
            string band = kept >= 1 ? "kept" : kept <= 0 ? "slowed" : "between", pair = $"{i}, {i + 8}";
            page.Line($"{pair,-16}{wave,9:F1}{band,9}{frequency / scaled,9:F2}{scaled,9:F3}{Measured(trace, i),9:F3}");
        }
    }

    /// <summary>By how much a pair of the second token's query was turned, at position 1.</summary>
    private static double Measured(ActivationTrace trace, int pair)
    {
        FloatTensor plain = trace[$"{Layer}.self_attn.q_proj"], turned = trace[$"{Layer}.self_attn.query"];
        ReadOnlySpan<float> q = plain.Row(1);
        double angle = Math.Atan2(turned[0, 0, 1, pair + 8], turned[0, 0, 1, pair]) - Math.Atan2(q[pair + 8], q[pair]);
        return angle < 0 ? angle + (2 * Math.PI) : angle;
    }

    private static void WriteHeads(Page page, FloatTensor keys)
    {
        page.Begin("llama-cache");
        page.Line($"keys of layer 0 after 4 tokens: [{string.Join(", ", keys.Shape.ToArray())}]");
        page.Line($"{"one token takes",-26}{"layers",7}{"heads",7}{"a head",8}{"bytes in F16",14}");
        foreach ((string name, int layers, int heads, int width) in ((string, int, int, int)[])
            [
                ("CodeGen-6B", 33, 16, 256), ("Llama-2-7B", 32, 32, 128), ("Llama-3-8B", 32, 8, 128), ("Qwen2.5-Coder-7B", 28, 4, 128),
                ("StarCoder", 40, 1, 128),
            ])
            page.Line($"{name,-26}{layers,7}{heads,7}{width,8}{2 * layers * heads * width * 2,14}");
    }

    private static void WriteBlock(Page page, ActivationTrace trace)
    {
        page.Begin("llama-block");
        page.Heads("dimension", ["x", "attn", "x + attn", "mlp", "stream"]);
        float[] x = Last(trace[Before]), attention = Last(trace[$"{Layer}.self_attn"]), mlp = Last(trace[$"{Layer}.mlp"]), stream = Last(trace[Layer]);
        for (int i = 0; i < 3; i++)
            page.Row($"{i}", [x[i], attention[i], x[i] + attention[i], mlp[i], stream[i]], 4);
    }

    private static void WriteGate(Page page, ActivationTrace trace)
    {
        float[] gate = Last(trace[$"{Layer}.mlp.gate_proj"]), act = Last(trace[$"{Layer}.mlp.act_fn"]), up = Last(trace[$"{Layer}.mlp.up_proj"]);
        page.Begin("llama-gate");
        page.Heads("neuron", ["gate", "silu", "up", "product"]);
        for (int i = 0; i < 4; i++)
            page.Row($"{i}", [gate[i], act[i], up[i], act[i] * up[i]]);
        page.Line($"weights: CodeGen 2 · 64 · 256 = {2 * 64 * 256}, Llama 3 · 64 · 96 = {3 * 64 * 96}");
    }

    private static void WriteTokens(Page page)
    {
        page.Begin("llama-tokens");
        foreach ((string name, string folder) in ((string, string)[])
            [
                ("CodeGen", Demo.Folder("demo-codegen")), ("Llama 2", Kind("llama-code-4k")), ("Llama 3", Kind("llama3-code-4k")),
                ("Qwen2", Kind("qwen2-code-4k")),
            ])
        {
            Tokenizer tokenizer = Tokenizer.Load(folder);
            int[] ids = tokenizer.Encode(Text, pair: null, Demo.Plain).Ids;
            page.Line($"{name,-16}{ids.Length,2}  {string.Join(' ', Demo.Tokens(tokenizer, ids))}");
        }
    }

    private static float[] Last(FloatTensor states) => states.Row(s_ids.Length - 1).ToArray();

    private static float[] Numbers(string folder, string tensor)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        return file.Weights[tensor].ToSingle();
    }

    private static string Case(string name) => Demo.Above(Path.Combine("tests", "data", "reference", "models", name));

    private static string Kind(string name) => Demo.Above(Path.Combine("tests", "data", "tokenizers", name));
}
