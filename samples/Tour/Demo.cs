using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>The demo models, at the Reference level and on one thread: every step is a plain loop on the thread that called it.</summary>
internal static class Demo
{
    public const string CodeGenText = "def add(a):";
    public const string MaskText = "import <mask> as np";

    /// <summary>Texts alone, without the special tokens of a model.</summary>
    public static EncodeOptions Plain { get; } = new() { AddSpecialTokens = false };

    public static KernelOptions Kernels { get; } = new() { Level = KernelLevel.Reference, MaxThreads = 1 };

    public static LoadOptions Load { get; } = new() { Kernels = Kernels };

    public static CodeGenForCausalLM CodeGen() => PretrainedModels.Load<CodeGenForCausalLM>(Folder("demo-codegen"), Load);

    public static RobertaForMaskedLM FillMask() => PretrainedModels.Load<RobertaForMaskedLM>(Folder("demo-fill-mask"), Load);

    public static Tokenizer TokenizerOf(string model) => Tokenizer.Load(Folder(model));

    /// <summary>A folder under models/.</summary>
    public static string Folder(string model) => Above(Path.Combine("models", model));

    /// <summary>A folder of the clone, found from where the program runs.</summary>
    public static string Above(string path)
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string folder = Path.Combine(at.FullName, path);
            if (Directory.Exists(folder))
                return folder;
        }
        throw new DirectoryNotFoundException(
            $"No folder above {AppContext.BaseDirectory} holds {path}. Run the tour inside a clone of the repository.");
    }

    /// <summary>A row of a matrix of the checkpoint, or a vector of it.</summary>
    public static float[] Weights(string model, string tensor, int row = 0)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Folder(model), "model.safetensors"));
        Weight weight = file.Weights[tensor];
        int width = (int)weight.Shape[^1];
        return weight.ToSingle()[(row * width)..((row + 1) * width)];
    }

    /// <summary>One forward pass whose activations are kept.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">What it reads.</param>
    /// <param name="names">The activations.</param>
    public static ActivationTrace Trace(PretrainedModel model, ModelInputs inputs, params string[] names) =>
        Trace(model, inputs, ForwardOptions.Default, names);

    /// <inheritdoc cref="Trace(PretrainedModel, ModelInputs, string[])"/>
    public static ActivationTrace Trace(PretrainedModel model, ModelInputs inputs, ForwardOptions options, params string[] names)
    {
        using Session session = model.CreateSession();
        ActivationTrace trace = session.Trace(names);
        model.Forward(inputs, session, options);
        return trace;
    }

    /// <summary>Σ a[i] · b[i].</summary>
    public static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    /// <summary>√Σ x[i]².</summary>
    public static double Norm(ReadOnlySpan<float> x) => Math.Sqrt(Dot(x, x));

    /// <summary>The tokens as the vocabulary has them: Ġ stands for a space, Ċ for a line break.</summary>
    public static string[] Tokens(Tokenizer tokenizer, IEnumerable<int> ids) => [.. ids.Select(id => tokenizer.IdToToken(id)!)];

    /// <summary>The ids with the highest scores, best first.</summary>
    public static int[] Best(ReadOnlySpan<float> scores, int count)
    {
        float[] copy = scores.ToArray();
        return [.. Enumerable.Range(0, copy.Length).OrderByDescending(id => copy[id]).Take(count)];
    }

    /// <summary>softmax of one row.</summary>
    public static float[] Probabilities(ReadOnlySpan<float> scores)
    {
        var p = new float[scores.Length];
        Softmax.Run(scores, p, Kernels);
        return p;
    }
}
