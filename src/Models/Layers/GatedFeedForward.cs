using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>down(act(gate(x)) · up(x)): [tokens, hidden] → [tokens, intermediate] → [tokens, hidden].</summary>
/// <param name="gate">The layer whose result goes through the activation.</param>
/// <param name="up">The layer that is multiplied by it.</param>
/// <param name="activation">The activation; silu makes the block SwiGLU.</param>
/// <param name="activationName">The module path of that.</param>
/// <param name="down">The last layer.</param>
/// <remarks>Shazeer 2020, arXiv:2002.05202; transformers LlamaMLP.</remarks>
internal sealed class GatedFeedForward(Linear gate, Linear up, ActivationFunction activation, string activationName, Linear down)
{
    /// <summary>In the session's workspace.</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        int tokens = x.Shape[0];
        bool traced = session.Tracer is ActivationTrace tracer && (tracer.Wants(gate.Name) || tracer.Wants(activationName) || tracer.Wants(up.Name));
        if (!traced && GatedProducts.Fits(tokens, gate.Weight, up.Weight, down.Weight, session.Kernels))
        {
            session.Cancellation.ThrowIfCancellationRequested();
            FloatTensor y = session.Workspace.Rent(down.Name, tokens, down.OutFeatures);
            var gateEpilogue = new Epilogue { Bias = gate.Bias, Activation = activation };
            GatedProducts.Run(x.Span, tokens, gate.Weight, gateEpilogue, up.Weight, new Epilogue { Bias = up.Bias }, down.Weight, y.Span,
                new Epilogue { Bias = down.Bias }, session.Kernels);
            return session.Tap(down.Name, y);
        }

        (FloatTensor gated, FloatTensor inner) = Linear.Forward(gate, x, up, x, session);       // [tokens, intermediate] each
        session.Tap(gate.Name, gated);
        if (session.Tracer is ActivationTrace trace && trace.Wants(activationName))
        {
            Activations.Run(activation, gated.Span, gated.Span, session.Kernels);
            session.Tap(activationName, gated);
            session.Tap(up.Name, inner);
            GatedActivation.Run(ActivationFunction.None, gated.Span, inner.Span, inner.Span, session.Kernels);
        }
        else
        {
            session.Tap(up.Name, inner);
            GatedActivation.Run(activation, gated.Span, inner.Span, inner.Span, session.Kernels);
        }
        return down.Forward(inner, session);
    }
}
