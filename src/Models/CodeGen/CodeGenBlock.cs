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

    /// <summary>The names of what it taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [_ln1.Name, .. _attn.ActivationNames, .. _mlp.ActivationNames, _mlpName, _name];

    /// <summary>One block, in place.</summary>
    public void Forward(Tensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        Tensor normed = _ln1.Forward(x, session);                               // [tokens, n_embd]
        bool inPairs = normed.Shape[0] <= MatMul.StreamedRows && session.Tracer is null;
        (Tensor attn, Tensor mlp) = inPairs ? BranchesInPairs(normed, session) : Branches(normed, session);
        Add.Run(attn.Span, mlp.Span, attn.Span, session.Kernels);               // attn ← attn + mlp
        Add.Run(x.Span, attn.Span, x.Span, session.Kernels);                    // x ← x + attn + mlp
        session.Tap(_name, x);
    }

    /// <summary>[tokens, n_embd] → [tokens, n_embd] twice; appends to the KV cache.</summary>
    private (Tensor Attn, Tensor Mlp) Branches(Tensor normed, Session session)
    {
        Tensor attn = _attn.Forward(normed, session);
        Tensor mlp = session.Tap(_mlpName, _mlp.Forward(normed, session));
        return (attn, mlp);
    }

    /// <summary>The same bits. A layer of each branch at a time, as neither needs the other: while decoding threads meet three times instead of five.</summary>
    private (Tensor Attn, Tensor Mlp) BranchesInPairs(Tensor normed, Session session)
    {
        (Tensor qkv, Tensor inner) = Linear.Forward(_attn.QkvProj, normed, _mlp.Up, normed, session, _mlp.Activation);
        Tensor context = _attn.ForwardHeads(qkv, session);
        return Linear.Forward(_attn.OutProj, context, _mlp.Down, inner, session);
    }
}
