namespace ManagedTransformers.Models;

/// <summary>
/// A change of an activation while the model runs: whatever comes after it in the pass, keys and values in the cache included, uses the changed one.
/// </summary>
/// <remarks>An edit that leaves every bit as it was changes nothing. What is written at places of padding that is not computed is read by nothing.</remarks>
public sealed class Intervention
{
    private readonly Action<FloatTensor> _edit;

    /// <summary>An edit in place.</summary>
    /// <param name="name">The activation's name, or a pattern as in <see cref="TraceOptions.Names"/>.</param>
    /// <param name="edit">Gets the activation in the shape that a trace keeps it in; the tensor holds for the time of the call.</param>
    public Intervention(string name, Action<FloatTensor> edit)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(edit);
        (Name, _edit) = (name, edit);
    }

    /// <summary>The activation's name, or a pattern.</summary>
    public string Name { get; }

    /// <summary>The head that the model must have.</summary>
    internal int? Head { get; private init; }

    /// <summary>Puts another value in the place of an activation, such as one from another run's trace (activation patching).</summary>
    /// <param name="name">The activation's name, or a pattern.</param>
    /// <param name="value">The value. A pass in which the activation has another shape throws a <see cref="TraceException"/>.</param>
    public static Intervention Replace(string name, FloatTensor value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new Intervention(name, activation =>
        {
            if (!activation.Shape.SequenceEqual(value.Shape))
                throw new TraceException($"{activation.Name} is {activation.ShapeText} in this pass; the value to replace it with ({value.Name}) is " +
                    $"{value.ShapeText}. Run the same number of rows and tokens as in the pass that it is from.");
            value.Span.CopyTo(activation.Span);
        });
    }

    /// <summary>Takes a head out of an attention: zeros in place of what it mixes, before the output projection.</summary>
    /// <param name="attentionName">The module's path, such as <c>transformer.h.3.attn</c> or <c>bert.encoder.layer.3.attention.self</c>, or a pattern.</param>
    /// <param name="head">The head, from 0 on. Opening a trace throws a <see cref="TraceException"/> where the model has no such head.</param>
    /// <remarks>What a head_mask with a zero in its place does.</remarks>
    public static Intervention ZeroHead(string attentionName, int head)
    {
        ArgumentException.ThrowIfNullOrEmpty(attentionName);
        return new Intervention($"{attentionName}.heads", heads => Zero(heads, head)) { Head = head };
    }

    internal void Apply(FloatTensor activation) => _edit(activation);

    /// <summary>[batch, heads, sequence, head_dim].</summary>
    private static void Zero(FloatTensor heads, int head)
    {
        int size = heads.Shape[2] * heads.Shape[3];
        for (int row = 0; row < heads.Shape[0]; row++)
            heads.Span.Slice((row * heads.Shape[1] + head) * size, size).Clear();
    }
}
