using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <content>What layers call while a pass runs.</content>
public sealed partial class ActivationTrace
{
    private readonly Dictionary<string, Request> _requests;
    private readonly List<string>? _names;
    private TracedPass? _current;
    private long _keptBytes;

    /// <summary>What becomes of an activation: whether it is kept under its own name and under which of TransformerLens's, and how it is changed.</summary>
    private sealed record Request(bool Keep, TransformerLensName[] KeepAs, Intervention[] Edits)
    {
        public int Copies => (Keep ? 1 : 0) + KeepAs.Length;
    }

    /// <summary>Whether an activation is kept or edited. Those that the model does not have by itself are computed only then.</summary>
    internal bool Wants(string name) => _names is not null || _requests.ContainsKey(name);

    internal void BeginPass(int batchSize, int sequenceLength, int[]? inputIds, int[]? attentionMask = null, bool isWhole = false) =>
        _current = new TracedPass(_session.Model, batchSize, sequenceLength, inputIds, attentionMask, isWhole);

    /// <summary>Rows that continue sequences of the cache, laid out as [rows, longest row].</summary>
    internal void BeginPass(PackedBatch batch)
    {
        int[] ids = new int[batch.Rows * batch.Width];
        Array.Fill(ids, -1);
        for (int row = 0; row < batch.Rows; row++)
            batch.TokenIds.Slice(batch.RowStart(row), batch.RowLength(row)).CopyTo(ids.AsSpan(row * batch.Width));
        BeginPass(batch.Rows, batch.Width, ids);
    }

    /// <summary>The pass has run to its end.</summary>
    internal void EndPass()
    {
        _passes.Add(_current!);
        _keptBytes += _current!.Bytes;
        _current = null;
    }

    /// <summary>A module's output, [tokens, n] or, where only some rows are computed, [rows, n]. Returns whether an intervention changed it.</summary>
    internal bool Tap(string name, FloatTensor packed)
    {
        if (!IsRequested(name, out Request? request)) return false;
        bool selected = _session.RowsAreSelected;
        int[] shape = selected ? [packed.Length / packed.Shape[^1], packed.Shape[^1]] : [_session.Batch.Rows, _session.Batch.Width, packed.Shape[^1]];
        RequireMemory(name, shape, request);
        return selected
            ? See(request, () => new FloatTensor(packed.ToArray(), name, shape), changed => changed.Span.CopyTo(packed.Span))
            : See(request, () => _session.Batch.Unpack(packed, name), changed => _session.Batch.Gather(changed.Span, packed));
    }

    /// <summary>Heads that lie in packed rows, kept as [batch, heads, sequence, head_dim]. Returns whether an intervention changed them.</summary>
    internal bool Tap(string name, FloatTensor packed, HeadLayout layout)
    {
        if (!IsRequested(name, out Request? request)) return false;
        RequireMemory(name, layout.Shape(_session.Batch), request);
        return See(request, () => layout.Unpack(packed, _session.Batch, name), changed => layout.Pack(changed, packed, _session.Batch));
    }

    /// <summary>A tensor of <see cref="NewTensor"/>, which the trace takes over. Returns whether an intervention changed it.</summary>
    internal bool Tap(FloatTensor whole)
    {
        if (!IsRequested(whole.Name, out Request? request)) return false;
        bool changed = request.Edits.Length > 0 && Edit(request, whole);
        Keep(request, whole);
        return changed;
    }

    /// <summary>Room for an activation that is computed for the trace alone; refused where keeping it would exceed the limit.</summary>
    internal FloatTensor NewTensor(string name, params ReadOnlySpan<int> shape)
    {
        if (_requests.TryGetValue(name, out Request? request)) RequireMemory(name, shape, request);
        return new FloatTensor(name, shape);
    }

    private bool IsRequested(string name, [NotNullWhen(true)] out Request? request)
    {
        _names?.Add(name);
        return _requests.TryGetValue(name, out request);
    }

    private bool See(Request request, Func<FloatTensor> unpack, Action<FloatTensor> pack)
    {
        FloatTensor view = unpack();
        bool changed = request.Edits.Length > 0 && Edit(request, view);
        if (changed) pack(view);
        if (request.Copies > 0)
            Keep(request, changed ? unpack() : view);           // again: an edit may have written to padding
        return changed;
    }

    private void Keep(Request request, FloatTensor activation)
    {
        foreach (TransformerLensName name in request.KeepAs) _current!.Add(name.Read(activation, _session.Model.Config.HeadWidth));
        if (request.Keep) _current!.Add(activation);
    }

    private static bool Edit(Request request, FloatTensor activation)
    {
        float[] before = activation.ToArray();
        foreach (Intervention intervention in request.Edits) intervention.Apply(activation);
        return !MemoryMarshal.AsBytes<float>(before).SequenceEqual(MemoryMarshal.AsBytes(activation.Span));
    }

    private void RequireMemory(string name, ReadOnlySpan<int> shape, Request request)
    {
        if (request.Copies == 0) return;
        (Int128 needed, long kept) = (sizeof(float) * request.Copies, _keptBytes + _current!.Bytes);
        foreach (int size in shape) needed *= size;
        if (kept + needed > _options.MemoryLimit)
            throw new TraceException($"Keeping {name} [{string.Join(", ", shape.ToArray())}] takes {needed} bytes more than the {kept} that the trace holds " +
                $"of {_passes.Count + 1} passes: {kept + needed} in all, " +
                $"over TraceOptions.MemoryLimit {_options.MemoryLimit}. Trace fewer names or fewer passes, or raise the limit.");
    }

    /// <summary>What each of the model's activations is wanted for.</summary>
    private static Dictionary<string, Request> RequestsOf(PretrainedModel model, TraceOptions options)
    {
        foreach (Intervention intervention in options.Interventions)
        {
            if (intervention.Head is int head && (uint)head >= (uint)model.Config.Heads)
                throw new TraceException($"{intervention.Name}: " +
                    $"head {head} is outside 0 … {model.Config.Heads - 1}, the heads of {model.Architecture}'s attentions.");
        }
        (HashSet<string> Own, TransformerLensName[] Lens)[] kept = [.. (options.Names ?? ["**"]).Select(pattern => Matches(model, pattern))];
        Intervention[][] edits = [.. options.Interventions.Select(intervention => EditsOf(model, intervention))];
        var requests = new Dictionary<string, Request>();
        foreach (string name in model.ActivationNames)
        {
            var request = new Request(
                Array.Exists(kept, some => some.Own.Contains(name)),
                [.. kept.SelectMany(some => some.Lens).Where(lens => lens.Activation == name).Distinct()],
                [.. edits.SelectMany(some => some).Where(edit => edit.Name == name)]);
            if (request.Copies > 0 || request.Edits.Length > 0) requests.Add(name, request);
        }
        return requests;
    }

    /// <summary>What a pattern means: activations by their own names, or, where it matches none, by TransformerLens's.</summary>
    private static (HashSet<string> Own, TransformerLensName[] Lens) Matches(PretrainedModel model, string pattern)
    {
        HashSet<string> own = [.. model.ActivationNames.Where(name => ActivationPattern.Matches(pattern, name))];
        TransformerLensName[] lens = own.Count > 0 ? [] : [.. model.LensNames.Where(name => ActivationPattern.Matches(pattern, name.Name))];
        if (own.Count == 0 && lens.Length == 0)
        {
            (IEnumerable<string> names, string list) = pattern.Contains("hook_", StringComparison.Ordinal)
                ? (model.LensNames.Select(name => name.Name), nameof(model.TransformerLensNames))
                : (model.ActivationNames, nameof(model.ActivationNames));
            throw new TraceException(
                $"{model.Architecture} has no activation that matches {pattern}. The nearest names are {NearestNames.Of(pattern, names)}; " +
                $"{list} lists all, and docs/tracing.md says how they are made.");
        }
        return (own, lens);
    }

    /// <summary>An intervention as one for each activation that it changes, under that one's own name.</summary>
    private static Intervention[] EditsOf(PretrainedModel model, Intervention intervention)
    {
        (HashSet<string> own, TransformerLensName[] lens) = Matches(model, intervention.Name);
        return [.. own.Select(name => new Intervention(name, intervention.Apply)), .. lens.Select(name => new Intervention(name.Activation, activation =>
        {
            FloatTensor view = name.Read(activation, model.Config.HeadWidth);
            intervention.Apply(view);
            name.Write(view, activation, model.Config.HeadWidth);
        }))];
    }
}

/// <content>Products: what a module gives is the product before the activation, which a pass never has in memory.</content>
public sealed partial class ActivationTrace
{
    /// <summary>A layer's product next to its result, which keeps its bits unless an intervention changed the product.</summary>
    internal void TapProduct(Linear layer, FloatTensor x, FloatTensor y, ActivationFunction activation)
    {
        if (activation == ActivationFunction.None)
        {
            Tap(layer.Name, y);
            return;
        }
        if (!Wants(layer.Name)) return;
        using Workspace.Scope scope = _session.Workspace.BeginScope();
        FloatTensor product = _session.Workspace.Rent(layer.Name, y.Shape[0], y.Shape[1]);
        layer.ForwardTo(x, product, _session);
        if (Tap(layer.Name, product)) Activations.Run(activation, product.Span, y.Span, _session.Kernels);
    }

    /// <summary>The heads of a decoder's attention before it runs.</summary>
    internal void TapHeads(CausalSelfAttention attention, in Projections projected, FloatTensor query) => attention.Tap(projected, query, this, _session);
}
