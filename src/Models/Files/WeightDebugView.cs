using System.Diagnostics;

namespace ManagedTransformers.Models;

/// <summary>A stored tensor as a debugger opens it: where it comes from, and its rows as numbers, read when they are looked at.</summary>
internal sealed class WeightDebugView(Weight weight)
{
    public string Name => weight.Name;
    public ElementType Type => weight.Type;
    public long[] Shape => [.. weight.Shape];
    public string File => weight.File;
    public long ByteLength => weight.ByteLength;

    /// <summary>Whether it can be read: not once its checkpoint was disposed and the last session with it.</summary>
    public string State => Read(0, 0) is null ? "disposed" : "readable";

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public object[] Rows => new NumberRows(Shape, (start, count) => Read(start, count) ?? []).Items();

    private float[]? Read(long start, int count)
    {
        try
        {
            var bytes = new byte[count * weight.Type.Size()];
            weight.CopyBytes(start * weight.Type.Size(), bytes);
            var values = new float[count];
            ElementConversion.Widen(weight, bytes, values);
            return values;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
        catch (NotSupportedException)
        {
            return [];                    // 8-bit floats
        }
    }
}
