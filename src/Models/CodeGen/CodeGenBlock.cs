using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>x ← x + attn(ln_1(x)) + mlp(ln_1(x)); one LayerNorm feeds both branches. [tokens, n_embd].</summary>
/// <remarks>Wang &amp; Komatsuzaki 2021 (GPT-J); transformers CodeGenBlock and CodeGenMLP.</remarks>
internal sealed class CodeGenBlock
{
    private readonly LayerNormalization _ln1;
    private readonly CodeGenAttention _attn;
    private readonly FeedForwardBlock _mlp;
    private readonly string _name, _mlpName;

    public CodeGenBlock(CodeGenConfig config, ModelWeights weights, string name, int layer, RotaryTable rotary)
    {
        (_name, _mlpName) = (name, $"{name}.mlp");
        _ln1 = new LayerNormalization(weights, $"{name}.ln_1", config.NEmbd, config.LayerNormEpsilon);
        _attn = new CodeGenAttention(config, weights, $"{name}.attn", layer, rotary);
        var fcIn = new Linear(weights, $"{name}.mlp.fc_in", config.NEmbd, config.InnerWidth);
        var fcOut = new Linear(weights, $"{name}.mlp.fc_out", config.InnerWidth, config.NEmbd);
        _mlp = new FeedForwardBlock(fcIn, config.Activation, $"{name}.mlp.act", fcOut);
    }

    /// <summary>One block, in place.</summary>
    public void Forward(Tensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor normed = _ln1.Forward(x, session);                               // [tokens, n_embd]
        (Tensor attn, Tensor mlp) = ParallelBranches.Pay(normed, session)
            ? ParallelBranches.Forward(_attn, _mlp, normed, session)
            : (_attn.Forward(normed, session), session.Tap(_mlpName, _mlp.Forward(normed, session)));
        Add.Run(attn.Span, mlp.Span, attn.Span, session.Kernels);               // attn ← attn + mlp
        Add.Run(x.Span, attn.Span, x.Span, session.Kernels);                    // x ← x + attn + mlp
        session.Tap(_name, x);
    }
}
