using System.Text;

namespace ManagedTransformers.Cli;

/// <summary>Text from outside, which must be UTF-8: other bytes would silently become other tokens.</summary>
internal static class Utf8Input
{
    // Two noncharacters, which no text has: what a decoder writes for bytes that are not UTF-8, so that the place is known where the text is looked at.
    private const string NotUtf8 = "\uFFFF\uFDD0";

    /// <summary>The encoding to read with; what it reads goes through <see cref="Require"/>.</summary>
    public static Encoding Encoding { get; } = Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new DecoderReplacementFallback(NotUtf8));

    /// <summary>The text itself, if all of its bytes were UTF-8.</summary>
    /// <param name="text">What was read with <see cref="Encoding"/>.</param>
    /// <param name="where">The file, or the file and its line.</param>
    /// <exception cref="FormatException">Some bytes were not.</exception>
    public static string Require(string text, string where)
    {
        int at = text.IndexOf(NotUtf8, StringComparison.Ordinal);
        return at < 0 ? text
            : throw new FormatException($"{where} is not UTF-8: the byte after {at} characters belongs to no character. Convert it (iconv -t UTF-8).");
    }
}
