using System.Diagnostics;

namespace ManagedTransformers.Models;

/// <summary>
/// Memory for the tensors inside a forward pass. Tensors are handed out in order and given back scope by scope, so that every
/// layer reuses those of the layer before, and a pass of the same shape as the last allocates nothing.
/// </summary>
[DebuggerDisplay("{_next} of {_slots.Count} tensors in use, {Size,nq}")]
public sealed class Workspace
{
    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    private readonly List<Tensor> _slots = [];
    private int _next;

    internal Workspace()
    {
    }

    /// <summary>A [rows, columns] tensor of undefined content, valid until the scope ends in which it was asked for.</summary>
    public Tensor Rent(string name, int rows, int columns)
    {
        if (_next == _slots.Count) _slots.Add(new Tensor(name, 0, 0));
        Tensor tensor = _slots[_next++];
        tensor.Reuse(name, rows, columns);
        return tensor;
    }

    /// <summary>Starts a scope: <c>using var scope = workspace.BeginScope();</c>.</summary>
    public Scope BeginScope() => new(this);

    /// <summary>Takes all tensors back, whatever scopes an exception left open.</summary>
    internal void Reset() => _next = 0;

    /// <summary>The memory that it holds on to, for debugger views.</summary>
    internal string Size => DebuggerText.Bytes(_slots.Sum(tensor => tensor.CapacityBytes));

    /// <summary>The tensors in use, in the order in which they were asked for; for debugger views.</summary>
    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public Tensor[] InUse => [.. _slots.Take(_next)];

    /// <summary>Gives back what was asked for since it began.</summary>
    public readonly ref struct Scope
    {
        private readonly Workspace _workspace;
        private readonly int _start;

        internal Scope(Workspace workspace) => (_workspace, _start) = (workspace, workspace._next);

        /// <summary>Ends the scope.</summary>
        public void Dispose() => _workspace._next = _start;
    }
}
