namespace ManagedTransformers.Models;

/// <summary>What a trace keeps, and what it changes.</summary>
public sealed record TraceOptions
{
    /// <summary>
    /// Names or patterns of the activations to keep: <c>*</c> stands for any characters but a dot, <c>**</c> for any. Empty: nothing is kept, which
    /// is enough for interventions. Names that end in <c>.head_outputs</c> are large and need a pattern that ends in <c>head_outputs</c> as well.
    /// </summary>
    public IReadOnlyList<string> Names { get; init; } = ["**"];

    /// <summary>The most bytes of tensors that are kept, of all passes together; 1 GiB by default.</summary>
    public long MemoryLimit { get; init; } = 1L << 30;

    /// <summary>Changes of activations, applied in this order.</summary>
    public IReadOnlyList<Intervention> Interventions { get; init; } = [];
}
