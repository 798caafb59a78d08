using System.Numerics.Tensors;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>A distance function: what it gives for two vectors, and which of two values is nearer.</summary>
/// <param name="Name">One of <see cref="DistanceFunction"/>.</param>
/// <param name="MoreIsNearer">Whether it is a similarity.</param>
/// <param name="UnitQuery">Whether the query is divided by its length first.</param>
/// <param name="Of">The value.</param>
internal sealed record VectorMeasure(string Name, bool MoreIsNearer, bool UnitQuery, VectorMeasure.Function Of)
{
    /// <param name="row">A vector of the collection.</param>
    /// <param name="query">What is searched for.</param>
    /// <param name="inverseNorm">1 / |row|.</param>
    /// <param name="scratch">As many numbers as a row, to work with.</param>
    public delegate float Function(ReadOnlySpan<float> row, ReadOnlySpan<float> query, float inverseNorm, Span<float> scratch);

    private static readonly VectorMeasure[] s_all =
    [
        new(DistanceFunction.CosineSimilarity, true, true, (row, query, inverseNorm, _) => TensorPrimitives.Dot(row, query) * inverseNorm),
        new(DistanceFunction.CosineDistance, false, true, (row, query, inverseNorm, _) => 1 - TensorPrimitives.Dot(row, query) * inverseNorm),
        new(DistanceFunction.DotProductSimilarity, true, false, (row, query, _, _) => TensorPrimitives.Dot(row, query)),
        new(DistanceFunction.NegativeDotProductSimilarity, false, false, (row, query, _, _) => -TensorPrimitives.Dot(row, query)),
        new(DistanceFunction.EuclideanDistance, false, false, (row, query, _, _) => TensorPrimitives.Distance(row, query)),
        new(DistanceFunction.EuclideanSquaredDistance, false, false, (row, query, _, scratch) =>
        {
            TensorPrimitives.Subtract(row, query, scratch);
            return TensorPrimitives.SumOfSquares<float>(scratch);
        }),
        new(DistanceFunction.ManhattanDistance, false, false, (row, query, _, scratch) =>
        {
            TensorPrimitives.Subtract(row, query, scratch);
            return TensorPrimitives.SumOfMagnitudes<float>(scratch);
        }),
        new(DistanceFunction.HammingDistance, false, false, (row, query, _, _) => TensorPrimitives.HammingDistance(row, query)),
    ];

    /// <summary>A measure by its name; null: the cosine similarity.</summary>
    /// <exception cref="NotSupportedException">There is none of that name.</exception>
    public static VectorMeasure Named(string? name, string property) =>
        Array.Find(s_all, measure => measure.Name == (name ?? DistanceFunction.CosineSimilarity)) ?? throw new NotSupportedException(
            $"The vector property {property} asks for the distance function {name}; " +
            $"this store has {string.Join(", ", s_all.Select(measure => measure.Name))}.");
}
