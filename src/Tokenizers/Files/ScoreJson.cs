using System.Globalization;

namespace ManagedTransformers.Tokenizers;

/// <summary>Reads scores of pieces as the library does: its JSON reader rounds twice, so that a score of 17 digits may be the float64 beside the nearest. Where
/// two ways to split a word have the same sum but for that, another one wins.</summary>
/// <remarks>f64_from_parts of the serde_json crate.</remarks>
internal static class ScoreJson
{
    private const int LargestPower = 308;

    private static readonly double[] Powers =
        [.. Enumerable.Range(0, LargestPower + 1).Select(power => double.Parse($"1e{power}", CultureInfo.InvariantCulture))];

    /// <summary>A score of a vocabulary.</summary>
    public static double Read(JsonPart score) => Read(score.Element.GetRawText(), nearest: score.Number());

    /// <summary>A JSON number, which the library does not read where it is too large or small for a float64: then the nearest.</summary>
    public static double Read(ReadOnlySpan<char> text, double nearest)
    {
        bool negative = text[0] == '-';
        int end = text.IndexOfAny('e', 'E');
        int exponent = end >= 0 && int.TryParse(text[(end + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int written) ? written : 0;
        (ulong digits, int after) = Digits(text[(negative ? 1 : 0)..(end < 0 ? text.Length : end)]);
        exponent += after;
        if (Math.Abs(exponent) > LargestPower) return nearest;
        double value = exponent < 0 ? digits / Powers[-exponent] : digits * Powers[exponent];
        return negative ? -value : value;
    }

    // The digits as a whole number, as many as fit, and the power of ten that is missing.
    private static (ulong Digits, int Exponent) Digits(ReadOnlySpan<char> text)
    {
        ulong digits = 0;
        int exponent = 0;
        bool fraction = false, full = false;
        foreach (char c in text)
        {
            if (c == '.')
            {
                fraction = true;
                continue;
            }
            ulong digit = (ulong)(c - '0');
            full |= digits > (ulong.MaxValue - digit) / 10;
            if (!full) digits = (digits * 10) + digit;
            if (fraction != full) exponent += full ? 1 : -1;
        }
        return (digits, exponent);
    }
}
