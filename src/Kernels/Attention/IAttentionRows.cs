namespace ManagedTransformers.Kernels;

/// <summary>A batch whose rows have queries, keys and values of their own, as sequences of different lengths have.</summary>
internal interface IAttentionRows
{
    /// <summary>The call for one row. Any thread may ask, and more than once.</summary>
    AttentionArguments Row(int row);
}
