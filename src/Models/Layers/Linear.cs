using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>y = act(x · Wᵀ + b): [tokens, in] → [tokens, out].</summary>
/// <remarks>transformers nn.Linear; the weight is [out, in].</remarks>
[DebuggerDisplay("{Name,nq}: {_weight.K} → {_weight.N}, {_weight.Type}")]
public sealed class Linear
{
    private readonly Matrix _weight;
    private readonly float[]? _bias;

    /// <summary>Reads <c>name.weight</c> and, where wanted, <c>name.bias</c>.</summary>
    /// <param name="weights">Where they come from.</param>
    /// <param name="name">The Hugging Face module path.</param>
    /// <param name="inFeatures">in_features.</param>
    /// <param name="outFeatures">out_features.</param>
    /// <param name="bias">Whether there is one.</param>
    public Linear(ModelWeights weights, string name, int inFeatures, int outFeatures, bool bias = true)
    {
        ArgumentNullException.ThrowIfNull(weights);
        Name = name;
        _weight = weights.LinearMatrix(name + ".weight", outFeatures, inFeatures);
        _bias = bias ? weights.Vector(name + ".bias", outFeatures) : null;
    }

    /// <summary>A layer whose weight files have as [in, out]. It is copied once while loading, to [out, in], which all kernels read.</summary>
    /// <remarks>transformers Conv1D (pytorch_utils.py), of GPT-2's time: y = x · W + b.</remarks>
    /// <inheritdoc cref="Linear(ModelWeights, string, int, int, bool)"/>
    public static Linear Conv1D(ModelWeights weights, string name, int inFeatures, int outFeatures)
    {
        ArgumentNullException.ThrowIfNull(weights);
        Matrix weight = weights.LinearMatrix($"{name}.weight", outFeatures, inFeatures, transposed: true);
        return new Linear(name, weight, weights.Vector($"{name}.bias", outFeatures));
    }

    /// <summary>The layer over the vocabulary: the token table where it is tied to that, with a bias that files hold under one or two names.</summary>
    /// <param name="config">vocab_size.</param>
    /// <param name="weights">Where weights come from.</param>
    /// <param name="name">The layer's module path.</param>
    /// <param name="words">The token table.</param>
    /// <param name="tied">Whether the layer's matrix is that table.</param>
    /// <param name="biasName">Another name of the bias, which is read first where the file has it; null: it has only its own.</param>
    /// <param name="bias">Whether there is one.</param>
    public static Linear OverVocabulary(PretrainedConfig config, ModelWeights weights, string name, EmbeddingTable words, bool tied, string? biasName = null,
        bool bias = true)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(words);
        if (tied)
            weights.Ignore($"{name}.weight", words.Matrix.Weight.Name);
        Matrix weight = tied ? weights.TiedHeadMatrix(words.Matrix) : weights.HeadMatrix($"{name}.weight", config.VocabSize, config.HiddenWidth);
        if (!bias)
            return new Linear(name, weight, bias: null);
        string own = $"{name}.bias";
        if (biasName is not null && weights.Has(biasName))
            weights.Ignore(own, biasName);
        else if (biasName is null || weights.Has(own))
            biasName = own;
        return new Linear(name, weight, weights.Vector(biasName, config.VocabSize));
    }

    /// <summary>A layer over a matrix that was read already (tied weights).</summary>
    internal Linear(string name, Matrix weight, float[]? bias) => (Name, _weight, _bias) = (name, weight, bias);

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; }

    /// <summary>The layer without its bias.</summary>
    internal Linear WithoutBias() => new(Name, _weight, bias: null);

    /// <summary>out_features.</summary>
    public int OutFeatures => _weight.N;

    /// <summary>The matrix, [out, in].</summary>
    internal WeightMatrix Weight => _weight.View;

    /// <summary>[out]; empty: none.</summary>
    internal ReadOnlySpan<float> Bias => _bias;

    /// <summary>[tokens, in] → [tokens, out], in the session's workspace. A trace sees the product before the activation, as the module gives it.</summary>
    /// <param name="x">[tokens, in].</param>
    /// <param name="session">The running session.</param>
    /// <param name="activation">What follows the product.</param>
    public FloatTensor Forward(FloatTensor x, Session session, ActivationFunction activation = ActivationFunction.None)
    {
        ArgumentNullException.ThrowIfNull(session);
        session.Cancellation.ThrowIfCancellationRequested();
        FloatTensor y = Rent(x, session);
        ForwardTo(x, y, session, activation);
        session.Tracer?.TapProduct(this, x, y, activation);
        return y;
    }

    /// <summary>The same into a tensor of the caller's; nothing is traced.</summary>
    /// <param name="x">[tokens, in].</param>
    /// <param name="y">[tokens, out].</param>
    /// <param name="session">The running session.</param>
    /// <param name="activation">What follows the product.</param>
    public void ForwardTo(FloatTensor x, FloatTensor y, Session session, ActivationFunction activation = ActivationFunction.None)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        ArgumentNullException.ThrowIfNull(session);
        MatMul.Run(x.Span, x.Shape[0], _weight.View, y.Span, new Epilogue { Bias = _bias, Activation = activation }, session.Kernels);
    }

    /// <summary>Three layers over the same x, which share the work of reading it.</summary>
    internal static (FloatTensor First, FloatTensor Second, FloatTensor Third) Forward(
        Linear first, Linear second, Linear third, FloatTensor x, Session session)
    {
        FloatTensor a = first.Rent(x, session), b = second.Rent(x, session), c = third.Rent(x, session);
        MatMul.Run(x.Shape[0], first.Product(x, a), second.Product(x, b), third.Product(x, c), session.Kernels);
        return (session.Tap(first.Name, a), session.Tap(second.Name, b), session.Tap(third.Name, c));
    }

    /// <summary>Two layers that do not need each other: few tokens then have threads meet once. Nothing is traced.</summary>
    internal static (FloatTensor First, FloatTensor Second) Forward(
        Linear first, FloatTensor x, Linear second, FloatTensor secondX, Session session, ActivationFunction secondActivation = ActivationFunction.None)
    {
        FloatTensor a = first.Rent(x, session), b = second.Rent(secondX, session);
        MatMul.Run(x.Shape[0], first.Product(x, a), second.Product(secondX, b, secondActivation), default, session.Kernels);
        return (a, b);
    }

    private FloatTensor Rent(FloatTensor x, Session session) => session.Workspace.Rent(Name, x.Shape[0], OutFeatures);

    private Product Product(FloatTensor x, FloatTensor y, ActivationFunction activation = ActivationFunction.None) =>
        new(x.Span, _weight.View, y.Span, new Epilogue { Bias = _bias, Activation = activation });
}

/// <summary>down(act(up(x))): [tokens, hidden] → [tokens, intermediate] → [tokens, hidden].</summary>
/// <param name="up">The first layer.</param>
/// <param name="activation">What follows it.</param>
/// <param name="activationName">The module path of that.</param>
/// <param name="down">The second layer.</param>
/// <remarks>transformers BertIntermediate and BertOutput.dense; CodeGenMLP.</remarks>
public sealed class FeedForwardBlock(Linear up, ActivationFunction activation, string activationName, Linear down)
{
    /// <summary>The first layer.</summary>
    internal Linear Up => up;

    /// <summary>What follows it.</summary>
    internal ActivationFunction Activation => activation;

    /// <summary>The second layer.</summary>
    internal Linear Down => down;

    /// <summary>In the session's workspace. What is between the two layers becomes a tensor only where somebody traces it.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        int tokens = x.Shape[0];
        bool traced = session.Tracer is ActivationTrace trace && (trace.Wants(up.Name) || trace.Wants(activationName));
        if (traced || !FeedForward.Fits(tokens, up.Weight, down.Weight, session.Kernels))
            return down.Forward(session.Tap(activationName, up.Forward(x, session, activation)), session);

        FloatTensor y = session.Workspace.Rent(down.Name, tokens, down.OutFeatures);
        var first = new Epilogue { Bias = up.Bias, Activation = activation };
        FeedForward.Run(x.Span, tokens, up.Weight, first, down.Weight, y.Span, new Epilogue { Bias = down.Bias }, session.Kernels);
        return session.Tap(down.Name, y);
    }
}
