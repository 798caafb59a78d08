using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>out_proj(softmax(q · kᵀ / √head_dim) · v) with rotated q and k, each token attending to itself and what is before it.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); Nijkamp et al. 2022, arXiv:2203.13474; transformers CodeGenAttention.</remarks>
internal sealed class CodeGenAttention
{
    private readonly CausalSelfAttention _heads;
    private readonly string _name;

    public CodeGenAttention(CodeGenConfig config, ModelWeights weights, string name, int layer, RotaryTable rotary)
    {
        _name = name;
        QkvProj = new Linear(weights, $"{name}.qkv_proj", config.NEmbd, 3 * config.NEmbd, bias: false);
        OutProj = new Linear(weights, $"{name}.out_proj", config.NEmbd, config.NEmbd, bias: false);
        // The rows of qkv_proj are in blocks of [query | value | key]; each has some whole heads of all three.
        int headsPerBlock = config.NHead / config.QkvBlocks, part = headsPerBlock * config.HeadWidth;
        _heads = new CausalSelfAttention(config, name, layer, Heads(0), Heads(2 * part), Heads(part), rotary);

        HeadLayout Heads(int first) => new(config.NHead, config.HeadWidth, first, headsPerBlock, 3 * part);
    }

    /// <summary>n_embd → query, value and key of all heads.</summary>
    public Linear QkvProj { get; }

    /// <summary>All heads → n_embd.</summary>
    public Linear OutProj { get; }

    /// <summary>[tokens, n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public Tensor Forward(Tensor x, Session session)
    {
        Tensor qkv = QkvProj.Forward(x, session);                                                                   // [tokens, 3 · n_embd]
        Tensor context = Attend(qkv, session);                                                                      // [tokens, n_embd]
        Tensor attention = _heads.Traced.Project(OutProj, context, session);                                       // [tokens, n_embd]
        return session.Tap(_name, attention);
    }

    /// <summary>What is between the two layers: softmax(q · kᵀ / √head_dim) · v. [tokens, 3 · n_embd] → [tokens, n_embd].</summary>
    public Tensor Attend(Tensor qkv, Session session) => _heads.Forward(qkv, session);
}
