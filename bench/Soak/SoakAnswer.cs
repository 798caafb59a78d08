using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>What a call gives: texts, ids and labels as one text, and all floats.</summary>
internal sealed record SoakAnswer(string Text, float[] Numbers)
{
    public static SoakAnswer Of(string text) => new(text, []);

    public static SoakAnswer Of(IEnumerable<FillMaskPrediction> all) =>
        new(string.Join('|', all.Select(one => $"{one.TokenId} {one.Sequence}")), [.. all.Select(one => one.Score)]);

    public static SoakAnswer Of(IEnumerable<LabelScore> all) => new(string.Join('|', all.Select(one => one.Label)), [.. all.Select(one => one.Score)]);

    public static SoakAnswer Of(IEnumerable<Entity> all) =>
        new(string.Join('|', all.Select(one => $"{one.Label} {one.Start} {one.End} {one.Text}")), [.. all.Select(one => one.Score)]);

    public static SoakAnswer Of(IEnumerable<GeneratedSequence> all) => Of(string.Join('|', all.Select(one => $"{string.Join(' ', one.TokenIds)} {one.Text}")));

    public static SoakAnswer Of(FloatTensor tensor) => new($"{string.Join(' ', tensor.Shape.ToArray())}", tensor.Span.ToArray());

    /// <summary>Why the other one is wrong; null: it is right.</summary>
    /// <param name="other">What was given.</param>
    /// <param name="tolerance">Of numbers, relative to the largest; 0: all bits are the same.</param>
    public string? DifferenceTo(SoakAnswer other, float tolerance)
    {
        if (other.Text != Text || other.Numbers.Length != Numbers.Length)
            return $"'{other.Text}' with {other.Numbers.Length} numbers; right is '{Text}' with {Numbers.Length}";
        float most = Numbers.Length == 0 ? 0 : tolerance * Numbers.Max(Math.Abs);
        for (int i = 0; i < Numbers.Length; i++)
        {
            bool same = tolerance == 0
                ? BitConverter.SingleToInt32Bits(Numbers[i]) == BitConverter.SingleToInt32Bits(other.Numbers[i])
                : Math.Abs(Numbers[i] - other.Numbers[i]) <= most;
            if (!same)
                return $"number {i} is {other.Numbers[i]:R}; right is {Numbers[i]:R} (of '{Text}')";
        }
        return null;
    }
}
