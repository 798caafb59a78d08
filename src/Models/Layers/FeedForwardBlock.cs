using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>down(act(up(x))): [tokens, hidden] → [tokens, intermediate] → [tokens, hidden].</summary>
/// <remarks>transformers BertIntermediate and BertOutput.dense; CodeGenMLP.</remarks>
internal sealed class FeedForwardBlock(Linear up, Activation activation, Linear down)
{
    /// <summary>In the session's workspace. What lies between the two layers becomes a tensor only where somebody traces the pass.</summary>
    public Tensor Forward(Tensor x, Session session)
    {
        int tokens = x.Shape[0];
        if (session.IsTraced || !FeedForward.Fits(tokens, up.Weight, down.Weight, session.Kernels))
            return down.Forward(up.Forward(x, session, activation), session);

        Tensor y = session.Workspace.Rent(down.Name, tokens, down.OutFeatures);
        var first = new Epilogue { Bias = up.Bias, Activation = activation };
        FeedForward.Run(x.Span, tokens, up.Weight, first, down.Weight, y.Span, new Epilogue { Bias = down.Bias }, session.Kernels);
        return y;
    }
}
