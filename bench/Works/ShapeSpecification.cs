using System.Text.Json;
using ManagedTransformers.Diagnostics;

namespace ManagedTransformers.Bench;

/// <summary>Writes what <see cref="SyntheticCheckpoint"/> makes a checkpoint of: config.json, and the names, shapes and ranges of the weights.</summary>
/// <remarks>The ranges keep activations at the size that trained models have: a matrix of k columns gives sums as large as what it multiplies.</remarks>
internal static class ShapeSpecification
{
    private const int Seed = 3004;
    private const int EncoderPositions = 512, DecoderPositions = 8192, CodeGenPositions = 2048, CodeGenRotary = 64;

    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Writes both files to a folder, which is created.</summary>
    /// <exception cref="NotSupportedException">The family's tensors are not listed here.</exception>
    public static void Write(ModelSize size, string directory)
    {
        (object config, IEnumerable<Tensor> tensors) = size.ModelType switch
        {
            "bert" => (BertConfig(size), Bert(size)),
            "qwen2" => (Qwen2Config(size), Qwen2(size)),
            "gpt_bigcode" => (GPTBigCodeConfig(size), GPTBigCode(size)),
            "codegen" => (CodeGenConfig(size), CodeGen(size)),
            _ => throw new NotSupportedException($"{size.Checkpoint} is of the family {size.ModelType}; {nameof(ShapeSpecification)} lists the tensors of " +
                "bert, qwen2, gpt_bigcode and codegen. List those of this family there."),
        };
        Directory.CreateDirectory(directory);
        Write(directory, "config.json", config);
        var specification = new { Seed, Dtype = size.BytesPerWeight == 2 ? "F16" : "F32", Tensors = tensors };
        Write(directory, SyntheticCheckpoint.SpecificationFileName, specification);
    }

    private static void Write(string directory, string name, object content) =>
        File.WriteAllText(Path.Combine(directory, name), JsonSerializer.Serialize(content, s_json));

    private static object BertConfig(ModelSize size) => new
    {
        ModelType = "bert", Architectures = new[] { "BertModel" }, VocabSize = size.Vocabulary, HiddenSize = size.Hidden, NumHiddenLayers = size.Layers,
        NumAttentionHeads = size.Heads, IntermediateSize = size.Inner, HiddenAct = "gelu", MaxPositionEmbeddings = EncoderPositions, TypeVocabSize = 2,
        LayerNormEps = 1e-12, PadTokenId = 0,
    };

    private static IEnumerable<Tensor> Bert(ModelSize size)
    {
        const string embeddings = "bert.embeddings";
        yield return Table($"{embeddings}.word_embeddings", size.Vocabulary, size.Hidden);
        yield return Table($"{embeddings}.position_embeddings", EncoderPositions, size.Hidden);
        yield return Table($"{embeddings}.token_type_embeddings", 2, size.Hidden);
        foreach (Tensor tensor in Norm($"{embeddings}.LayerNorm", size.Hidden)) yield return tensor;
        for (int i = 0; i < size.Layers; i++)
        {
            string layer = $"bert.encoder.layer.{i}";
            IEnumerable<Tensor> tensors =
            [
                .. Linear($"{layer}.attention.self.query", size.Hidden, size.Hidden), .. Linear($"{layer}.attention.self.key", size.Hidden, size.Hidden),
                .. Linear($"{layer}.attention.self.value", size.Hidden, size.Hidden), .. Linear($"{layer}.attention.output.dense", size.Hidden, size.Hidden),
                .. Norm($"{layer}.attention.output.LayerNorm", size.Hidden), .. Linear($"{layer}.intermediate.dense", size.Inner, size.Hidden),
                .. Linear($"{layer}.output.dense", size.Hidden, size.Inner), .. Norm($"{layer}.output.LayerNorm", size.Hidden),
            ];
            foreach (Tensor tensor in tensors) yield return tensor;
        }
    }

    private static object Qwen2Config(ModelSize size) => new
    {
        ModelType = "qwen2", Architectures = new[] { "Qwen2ForCausalLM" }, VocabSize = size.Vocabulary, HiddenSize = size.Hidden,
        NumHiddenLayers = size.Layers, NumAttentionHeads = size.Heads, NumKeyValueHeads = size.KeyHeads, IntermediateSize = size.Inner, HiddenAct = "silu",
        MaxPositionEmbeddings = DecoderPositions, RmsNormEps = 1e-6, RopeTheta = 1e6, TieWordEmbeddings = true, EosTokenId = size.Vocabulary - 1,
    };

    private static IEnumerable<Tensor> Qwen2(ModelSize size)
    {
        yield return Table("model.embed_tokens", size.Vocabulary, size.Hidden);
        for (int i = 0; i < size.Layers; i++)
        {
            string layer = $"model.layers.{i}", attention = $"{layer}.self_attn", mlp = $"{layer}.mlp";
            IEnumerable<Tensor> tensors =
            [
                Gain($"{layer}.input_layernorm", size.Hidden), .. Linear($"{attention}.q_proj", size.Hidden, size.Hidden),
                .. Linear($"{attention}.k_proj", size.KeyWidth, size.Hidden), .. Linear($"{attention}.v_proj", size.KeyWidth, size.Hidden),
                Matrix($"{attention}.o_proj", size.Hidden, size.Hidden), Gain($"{layer}.post_attention_layernorm", size.Hidden),
                Matrix($"{mlp}.gate_proj", size.Inner, size.Hidden), Matrix($"{mlp}.up_proj", size.Inner, size.Hidden),
                Matrix($"{mlp}.down_proj", size.Hidden, size.Inner),
            ];
            foreach (Tensor tensor in tensors) yield return tensor;
        }
        yield return Gain("model.norm", size.Hidden);
    }

    private static object GPTBigCodeConfig(ModelSize size) => new
    {
        ModelType = "gpt_bigcode", Architectures = new[] { "GPTBigCodeForCausalLM" }, VocabSize = size.Vocabulary, NEmbd = size.Hidden, NLayer = size.Layers,
        NHead = size.Heads, NInner = size.Inner, NPositions = DecoderPositions, MultiQuery = size.KeyHeads == 1, ActivationFunction = "gelu_pytorch_tanh",
        LayerNormEpsilon = 1e-5, BosTokenId = 0, EosTokenId = 0,
    };

    private static IEnumerable<Tensor> GPTBigCode(ModelSize size)
    {
        yield return Table("transformer.wte", size.Vocabulary, size.Hidden);
        yield return Table("transformer.wpe", DecoderPositions, size.Hidden);
        for (int i = 0; i < size.Layers; i++)
        {
            string layer = $"transformer.h.{i}";
            IEnumerable<Tensor> tensors =
            [
                .. Norm($"{layer}.ln_1", size.Hidden), .. Linear($"{layer}.attn.c_attn", size.Hidden + 2 * size.KeyWidth, size.Hidden),
                .. Linear($"{layer}.attn.c_proj", size.Hidden, size.Hidden), .. Norm($"{layer}.ln_2", size.Hidden),
                .. Linear($"{layer}.mlp.c_fc", size.Inner, size.Hidden), .. Linear($"{layer}.mlp.c_proj", size.Hidden, size.Inner),
            ];
            foreach (Tensor tensor in tensors) yield return tensor;
        }
        foreach (Tensor tensor in Norm("transformer.ln_f", size.Hidden)) yield return tensor;
    }

    private static object CodeGenConfig(ModelSize size) => new
    {
        ModelType = "codegen", Architectures = new[] { "CodeGenForCausalLM" }, VocabSize = size.Vocabulary, NEmbd = size.Hidden, NLayer = size.Layers,
        NHead = size.Heads, NInner = size.Inner, NPositions = CodeGenPositions, RotaryDim = CodeGenRotary, ActivationFunction = "gelu_new",
        LayerNormEpsilon = 1e-5, MpNum = size.QkvBlocks, EosTokenId = 50_256,
    };

    private static IEnumerable<Tensor> CodeGen(ModelSize size)
    {
        yield return Table("transformer.wte", size.Vocabulary, size.Hidden);
        for (int i = 0; i < size.Layers; i++)
        {
            string layer = $"transformer.h.{i}";
            IEnumerable<Tensor> tensors =
            [
                .. Norm($"{layer}.ln_1", size.Hidden), Matrix($"{layer}.attn.qkv_proj", 3 * size.Hidden, size.Hidden),
                Matrix($"{layer}.attn.out_proj", size.Hidden, size.Hidden), .. Linear($"{layer}.mlp.fc_in", size.Inner, size.Hidden),
                .. Linear($"{layer}.mlp.fc_out", size.Hidden, size.Inner),
            ];
            foreach (Tensor tensor in tensors) yield return tensor;
        }
        foreach (Tensor tensor in Norm("transformer.ln_f", size.Hidden)) yield return tensor;
        foreach (Tensor tensor in Linear("lm_head", size.Vocabulary, size.Hidden)) yield return tensor;
    }

    private static Tensor Table(string name, int rows, int width) => new($"{name}.weight", [rows, width], Center: 0, HalfWidth: 0.6);

    private static Tensor Matrix(string name, int n, int k) => new($"{name}.weight", [n, k], Center: 0, HalfWidth: Math.Sqrt(3.0 / k));

    private static Tensor Gain(string name, int n) => new($"{name}.weight", [n], Center: 1, HalfWidth: 0.2);

    private static Tensor Bias(string name, int n) => new($"{name}.bias", [n], Center: 0, HalfWidth: 0.1);

    private static IEnumerable<Tensor> Linear(string name, int n, int k) => [Matrix(name, n, k), Bias(name, n)];

    private static IEnumerable<Tensor> Norm(string name, int n) => [Gain(name, n), Bias(name, n)];

    private sealed record Tensor(string Name, long[] Shape, double Center, double HalfWidth);
}
