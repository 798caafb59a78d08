using System.Diagnostics;
using System.Globalization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// A KV cache as a debugger opens it: layer by layer, and in each head by head, how long keys and values are. Nothing is computed before it is opened.
/// </summary>
internal sealed class KeyValueCacheDebugView(KeyValueCache cache)
{
    /// <summary>The tokens of each sequence.</summary>
    public int[] Lengths => [.. Enumerable.Range(0, cache.BatchSize).Select(cache.Length)];

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public CachedLayer[] Layers => [.. Enumerable.Range(0, cache.Layers).Select(layer => new CachedLayer(cache, layer))];

    /// <summary>A layer's keys and values.</summary>
    [DebuggerDisplay("layer {_layer}: {_cache.LengthText,nq}")]
    internal sealed class CachedLayer(KeyValueCache cache, int layer)
    {
        private const int MostHeads = 256;

        [DebuggerBrowsable(DebuggerBrowsableState.Never)]
        private readonly KeyValueCache _cache = cache;

        [DebuggerBrowsable(DebuggerBrowsableState.Never)]
        private readonly int _layer = layer;

        /// <summary>The heads of every sequence that holds tokens.</summary>
        [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
        public CachedHead[] Heads => [..
            from sequence in Enumerable.Range(0, _cache.BatchSize)
            where _cache.Length(sequence) > 0
            from head in Enumerable.Range(0, _cache.Heads).Take(MostHeads / _cache.BatchSize + 1)
            select new CachedHead(_cache, _layer, sequence, head)];
    }

    /// <summary>The keys and values of one head for one sequence.</summary>
    [DebuggerDisplay("{Text,nq}")]
    internal sealed class CachedHead(KeyValueCache cache, int layer, int sequence, int head)
    {
        /// <summary>Euclidean norm of each token's key.</summary>
        public float[] KeyNorms => Norms(KeyOrValue.Key);

        /// <summary>Euclidean norm of each token's value.</summary>
        public float[] ValueNorms => Norms(KeyOrValue.Value);

        [DebuggerBrowsable(DebuggerBrowsableState.Never)]
        private string Text => $"{(cache.BatchSize > 1 ? $"sequence {sequence}, " : "")}head {head}: " +
            $"key norms {Range(KeyNorms)}, value norms {Range(ValueNorms)}";

        private static string Range(float[] norms)
        {
            NumberSummary numbers = NumberSummary.Of(norms);
            return numbers.NaN + numbers.Infinite > 0
                ? numbers.ToString()
                : string.Create(CultureInfo.InvariantCulture, $"{numbers.Mean:G4} ({numbers.Min:G4} … {numbers.Max:G4})");
        }

        private float[] Norms(KeyOrValue what)
        {
            float[] norms = new float[cache.Length(sequence)];
            var vectors = new StoredSpan(cache.Stored(sequence, layer, what), cache.Type);
            for (int token = 0; token < norms.Length; token++)
            {
                double sum = 0;
                int start = (head * norms.Length + token) * cache.HeadDim;
                for (int d = 0; d < cache.HeadDim; d++) sum += (double)vectors[start + d] * vectors[start + d];
                norms[token] = (float)Math.Sqrt(sum);
            }
            return norms;
        }
    }
}
