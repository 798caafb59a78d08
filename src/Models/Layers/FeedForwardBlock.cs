using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

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
    public Tensor Forward(Tensor x, Session session)
    {
        int tokens = x.Shape[0];
        bool traced = session.Tracer is ActivationTrace trace && (trace.Wants(up.Name) || trace.Wants(activationName));
        if (traced || !FeedForward.Fits(tokens, up.Weight, down.Weight, session.Kernels))
            return down.Forward(session.Tap(activationName, up.Forward(x, session, activation)), session);

        Tensor y = session.Workspace.Rent(down.Name, tokens, down.OutFeatures);
        var first = new Epilogue { Bias = up.Bias, Activation = activation };
        FeedForward.Run(x.Span, tokens, up.Weight, first, down.Weight, y.Span, new Epilogue { Bias = down.Bias }, session.Kernels);
        return session.Tap(down.Name, y);
    }
}
