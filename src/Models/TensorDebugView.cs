using System.Diagnostics;

namespace ManagedTransformers.Models;

/// <summary>A tensor as a debugger opens it: its shape, what its numbers are like, and its rows by index.</summary>
internal sealed class TensorDebugView(Tensor tensor)
{
    public string Name => tensor.Name;

    public int[] Shape => tensor.Shape.ToArray();

    public NumberSummary Numbers => NumberSummary.Of(tensor.Span);

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public object[] Rows => new NumberRows([.. Shape.Select(size => (long)size)], Read).Items();

    private float[] Read(long start, int count) => start + count <= tensor.Length ? tensor.Span.Slice((int)start, count).ToArray() : [];
}
