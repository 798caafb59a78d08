using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The two branches of a block, a layer of each at a time: neither needs the other, so that while decoding threads meet three times instead of
/// five.</summary>
/// <remarks>The bits are those of one branch after the other. A step with Int4 weights takes 1.02 to 1.05 times as long without it.</remarks>
internal static class ParallelBranches
{
    /// <summary>Whether it pays: few tokens, and nobody who traces what is inside a branch.</summary>
    public static bool Pay(Tensor x, Session session) => x.Shape[0] <= MatMul.StreamedRows && session.Tracer is null;

    /// <summary>[tokens, n_embd] → [tokens, n_embd] twice; appends to the KV cache.</summary>
    public static (Tensor Attn, Tensor Mlp) Forward(CodeGenAttention attn, FeedForwardBlock mlp, Tensor x, Session session)
    {
        (Tensor qkv, Tensor inner) = Linear.Forward(attn.QkvProj, x, mlp.Up, x, session, mlp.Activation);
        Tensor context = attn.Attend(qkv, session);
        return Linear.Forward(attn.OutProj, context, mlp.Down, inner, session);
    }
}
